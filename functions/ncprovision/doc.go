// Package ncprovision is the function for accounts in Nextcloud: users see and
// claim theirs and issue app passwords, administrators list, retry and adopt
// accounts, and a schedule reconciles them. On Lambda, the schedule also does all
// other background work.
//
// Begin with [Function.Routes] and [Function.Run]. The rules are in package
// reconcile; this package translates them to HTTP. It may import the domain, the
// store and the services, but no other function.
package ncprovision
