// Package mail defines the mails that the gateway sends, and writes them into the
// outbox.
//
// A mail is a row that is written in the transaction which causes it, so a mail is sent
// if and only if the transaction is committed, and no request waits for a mail server.
// The row contains no secret: the token of its link is derived when the mail is sent.
// Package delivery sends what is in the outbox.
//
// The package does no I/O. It imports account and linktoken. Begin with [Outbox].
package mail
