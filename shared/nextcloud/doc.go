// Package nextcloud groups the packages that keep one Nextcloud account for every
// user and read and write the user's files. It contains no code.
//
//   - desired: the desired state of a Nextcloud account, and its rules.
//   - reconcile: compares desired state with Nextcloud and applies the difference.
//   - ocs: the client for accounts (OCS provisioning API).
//   - webdav: the client for files.
//   - quota: storage quotas as Nextcloud writes them.
//   - nextcloudtest: a Nextcloud for tests, checked against recordings.
//
// Begin with desired.Account, then reconcile.Reconciler. The clients know nothing
// of accounts or the store; reconcile connects them.
package nextcloud
