// Package desired holds the desired state of accounts in Nextcloud: what an
// account should be, what is known about it, and the rules for both.
//
// Begin with [Account]. A [Recorder] writes the desired state in the transaction
// of the change that causes it; package reconcile makes Nextcloud agree. The package
// does no I/O: it reaches the store through [Tx], because the store imports its
// types. It may import the foundation and the rules of the domain, such as account
// and audit.
package desired
