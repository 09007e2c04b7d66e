// Package ratelimit limits how often a client may do something.
//
// The algorithm is the generic cell rate algorithm in its virtual scheduling form (ITU-T
// I.371 annex A). It keeps a single time for each key, so a store needs one atomic step
// for each request. [Bounds.Take] is the algorithm, without a clock or I/O. [Memory]
// applies it in this process, and a [Store] applies it for several processes.
//
// Start with [Limiter], which knows the gateway's limits, counts clients and accounts, and
// falls back to memory while the store fails.
//
// The package does no I/O. It may import only foundation, crypto and the other
// domain rules. Package redislimit is a [Store] in Redis, and package store has
// one in the database.
package ratelimit
