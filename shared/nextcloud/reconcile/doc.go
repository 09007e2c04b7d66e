// Package reconcile makes accounts in Nextcloud agree with their desired state.
//
// Begin with [Reconciler], then attempt.go: one attempt looks at the account in
// Nextcloud, compares it with the desired state ([Diff]), applies the difference
// (the table in steps.go), and stores the outcome. Every step can be
// repeated, and an attempt can stop after any of them: any number of reconcilers
// can share a database. An outage of Nextcloud delays accounts and fails none.
//
// Around it: a circuit breaker in front of Nextcloud that all processes share
// (breaker.go), a daily comparison of all accounts (sweep.go), claims of accounts
// that the gateway did not create (claim.go), and the rotation of sealed
// credentials (reseal.go). The package may import the store, the desired state and
// the Nextcloud clients. It alone uses the administrator's credentials.
package reconcile
