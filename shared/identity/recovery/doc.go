// Package recovery returns accounts to the people who read their mail: it verifies
// addresses, resets passwords and undoes changes of address, with the tokens in the
// links of mails.
//
// Whoever asks for a mail learns nothing about accounts: the response and its time are
// the same for every address, see [Service.RequestReset]. Whoever sends a token has
// proved to read the mail of the account. A forged token costs no query.
//
// It imports the store, mail, password, revocation and nextcloud/desired. Begin with
// [Service].
package recovery
