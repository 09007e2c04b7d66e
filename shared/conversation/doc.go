// Package conversation defines conversation sessions: a title and a context of
// what a user discusses with the assistant. Clients define the content of the
// context.
//
// Begin with [Session]. The package does no I/O. It may import only foundation,
// crypto and the other domain rules; it uses account.
package conversation
