// Package store keeps the data of the gateway in PostgreSQL or SQLite. No other
// package contains SQL.
//
// A [DB] executes the same statements on both engines. The subpackages postgres
// and sqlite open one, and a [Dialect] describes their differences. Each method
// of [Statements] is one statement and one round trip. [DB.Update] runs several
// in one transaction, and [DB.UpdateAs] runs them for a caller whose rights
// must still hold. Audit events are also logged, once they are committed.
//
// Callers pass the time and ids in; times are kept in microseconds. No
// statement uses session state, so the database may be behind a transaction
// pooler.
//
// Begin with [DB] and logins.go. The package may import foundation, crypto and the
// domain rules, whose types it reads and writes, but no other adapter.
package store
