// Package linktoken defines the single-use tokens in the links of mails: to verify an
// address, to reset a password, to undo a change of address, to accept an invitation.
//
// A token is never stored. Its row has an id, a purpose and the state in which it
// works; the token is an HMAC over the id, the purpose and the time at which it
// expires, made when the mail is sent. Deleting the row spends it.
//
// The package does no I/O. Begin with [Token] and [Codec].
package linktoken
