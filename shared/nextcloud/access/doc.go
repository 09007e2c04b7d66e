// Package access serves requests of users about their accounts in Nextcloud: it
// opens their files, issues and revokes app passwords, and shows quotas.
//
// Begin with [Storage]. It uses the credentials that package reconcile has stored
// and never those of the administrator. When Nextcloud rejects them, it makes the
// account due, and the reconciler repairs it. The package may import the store,
// the desired state and the Nextcloud clients, but not reconcile.
package access
