package main

import (
	"context"
	"os"
	"slices"
	"time"
)

// warmUp is the share of a measurement's time that is spent before it: connections
// open, statements are prepared, and caches fill.
const warmUp = 0.1

// signUps is how many clients register at once, so that none waits long for its hash.
const signUps = 8

// signUp gives each client an account, a login, sessions to list and, with a
// Nextcloud, a file.
func (t *target) signUp(ctx context.Context, clients int, nextcloud bool) error {
	for i := range clients {
		t.clients = append(t.clients, &client{number: i, engine: t.engine, turn: i})
	}
	for some := range slices.Chunk(t.clients, signUps) {
		if err := each(some, func(c *client) error { return t.prepare(ctx, c, nextcloud) }); err != nil {
			return err
		}
	}
	return nil
}

func (t *target) prepare(ctx context.Context, c *client, nextcloud bool) error {
	if err := c.connect(t.address, t.tls); err != nil {
		return err
	}
	if err := c.register(); err != nil {
		return err
	}
	if err := c.login(); err != nil {
		return err
	}
	for range listedItems {
		if err := c.createSession(); err != nil {
			return err
		}
	}
	if nextcloud {
		return c.firstUpload(ctx)
	}
	return nil
}

// measure lets clients do what the scenario says for the time d, at a rate of requests
// per second or, with rate 0, as fast as responses arrive.
func (t *target) measure(s scenario, clients []*client, rate float64, d time.Duration) (result, error) {
	if err := each(clients, func(c *client) error { return c.connect(t.address, t.tls) }); err != nil {
		return result{}, err
	}
	if _, err := drive(clients, s, newSchedule(rate, time.Duration(warmUp*float64(d)))); err != nil {
		return result{}, err
	}
	before, err := t.usage()
	if err != nil {
		return result{}, err
	}
	begin := time.Now()
	latencies, err := drive(clients, s, newSchedule(rate, d))
	if err != nil {
		return result{}, err
	}
	took := time.Since(begin)
	after, err := t.usage()
	if err != nil {
		return result{}, err
	}
	perRequest := func(d time.Duration) float64 {
		return float64(d) / float64(time.Microsecond) / float64(max(len(latencies), 1))
	}
	memory, err := residentMB(t.pid)
	return result{
		Scenario: s.name, Engine: t.engine, Clients: len(clients), Rate: rate,
		Requests: len(latencies), PerSecond: float64(len(latencies)) / took.Seconds(),
		P50: quantile(latencies, 0.5), P90: quantile(latencies, 0.9), P99: quantile(latencies, 0.99), Max: quantile(latencies, 1),
		Server: perRequest(after.server - before.server), Database: perRequest(after.database - before.database),
		Generator:  perRequest(after.generator - before.generator),
		IdleMemory: t.idle, Memory: memory,
	}, err
}

// A usage is the processor time that processes have taken so far.
type usage struct{ server, database, generator time.Duration }

func (t *target) usage() (u usage, err error) {
	if u.server, err = processorTime(t.pid); err != nil {
		return u, err
	}
	if u.database, err = familyTime(t.database); err != nil {
		return u, err
	}
	u.generator, err = processorTime(os.Getpid())
	return u, err
}
