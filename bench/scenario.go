package main

import (
	"fmt"
	"net/http"
)

// The engines of the gateway, and what they are compared with.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
	floor    = "floor"
)

// A scenario is what each client does again and again.
type scenario struct {
	name      string
	nextcloud bool                  // whether the gateway needs one
	floors    map[string]string     // by engine: the scenario of the floor to compare with
	steps     []func(*client) error // in turns
}

// scenarios returns those of the gateway. PostgreSQL is compared with one statement
// by pgx. SQLite runs within the gateway, so it is compared with an empty handler.
func scenarios() []scenario {
	oneSelect := map[string]string{postgres: "select", sqlite: "empty"}
	oneUpdate := map[string]string{postgres: "update", sqlite: "empty"}
	oneHash := map[string]string{postgres: "bcrypt", sqlite: "bcrypt"}
	nothing := map[string]string{postgres: "empty", sqlite: "empty"}
	me, list, create, renew := (*client).whoAmI, (*client).listSessions, (*client).createSession, (*client).renew
	download, upload := (*client).download, (*client).upload
	return []scenario{
		{name: "who-am-i", floors: oneSelect, steps: []func(*client) error{me}},
		{name: "login", floors: oneHash, steps: []func(*client) error{(*client).login}},
		{name: "refresh", floors: oneUpdate, steps: []func(*client) error{renew}},
		{name: "sessions-list", floors: oneSelect, steps: []func(*client) error{list}},
		{name: "sessions-create", floors: oneUpdate, steps: []func(*client) error{create}},
		{name: "files-download", floors: nothing, nextcloud: true, steps: []func(*client) error{download}},
		{name: "files-upload", floors: nothing, nextcloud: true, steps: []func(*client) error{upload}},
		{name: "mixed", floors: oneSelect, nextcloud: true, steps: []func(*client) error{
			me, list, me, me, create, me, list, renew, me, me, download, me, me, list, me, renew, me, create, me, upload,
		}},
	}
}

// floorScenarios returns those of the floor.
func floorScenarios() []scenario {
	of := func(method, path string) []func(*client) error {
		return []func(*client) error{func(c *client) error {
			_, err := c.expect(http.StatusOK, newRequest(method, path, "", "", ""))
			return err
		}}
	}
	ofRow := func(method, path string) []func(*client) error { // each client has a row of its own
		return []func(*client) error{func(c *client) error {
			_, err := c.expect(http.StatusOK, newRequest(method, fmt.Sprintf("%s/%d", path, c.number), "", "", ""))
			return err
		}}
	}
	return []scenario{
		{name: "empty", steps: of(http.MethodGet, "/empty")},
		{name: "select", steps: ofRow(http.MethodGet, "/select")},
		{name: "update", steps: ofRow(http.MethodPost, "/update")},
		{name: "bcrypt", steps: of(http.MethodPost, "/bcrypt")},
	}
}

// step sends the client's next request of the scenario.
func (s scenario) step(c *client) error {
	next := s.steps[c.turn%len(s.steps)]
	c.turn++
	return next(c)
}
