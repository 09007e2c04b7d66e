// Package audit defines the events of the audit trail, and the hash chain that
// reveals when one is removed or changed. An event is stored in the transaction of
// the change that it records, so neither exists without the other.
//
// Begin with [Event] and [New]. Package trail maintains the chain.
//
// The package does no I/O. It may import only foundation, crypto and the other
// domain rules; it uses account and signin.
package audit
