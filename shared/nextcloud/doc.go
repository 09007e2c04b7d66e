// Package nextcloud describes the Nextcloud server that the gateway uses, and
// groups the packages that keep one account there for every user.
//
//   - desired: the desired state of an account, its rules, and how it is recorded.
//   - reconcile: compares desired state with Nextcloud and applies the difference.
//   - access: users' files and app passwords, while a request runs.
//   - ocs: the client for accounts (OCS provisioning API).
//   - webdav: the client for files.
//   - quota: storage quotas as Nextcloud writes them.
//   - nextcloudtest: a Nextcloud for tests, checked against recordings.
//
// Begin with desired.Account, then reconcile.Reconciler. The clients do not know
// the store; reconcile and access connect them. This package may import the
// foundation and crypto packages only.
package nextcloud
