// Package growth measures how the cost of each call of the API grows with the number of
// users. Its test seeds databases with few and with many users, and makes the same calls
// to the real handlers on both, in turns: make growth. Another test migrates a large
// database under load: make migration.
//
// To read on: growth_test.go measures, calls_test.go lists the calls, deployment_test.go
// prepares users for them, package seed fills the databases, page_test.go writes the
// section "Growth" of docs/performance.md, and migration_test.go migrates.
package growth
