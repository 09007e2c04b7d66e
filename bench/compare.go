package main

// A comparison is a result of the gateway, and that of its floor.
type comparison struct {
	result

	base result
}

// share returns the requests per second, as a share of the floor's.
func (c comparison) share() float64 { return c.PerSecond / c.base.PerSecond }

// compared returns the results with n clients whose floor was measured, too.
func (r run) compared(n int) (all []comparison) {
	for _, s := range scenarios() {
		for _, engine := range []string{postgres, sqlite} {
			x, ok := r.find(engine, s.name, n)
			if !ok {
				continue
			}
			if base, ok := r.find(floor, s.floors[engine], n); ok {
				all = append(all, comparison{x, base})
			}
		}
	}
	return all
}

const peerClients = 16

// A peer is how often per second another product did the work of a scenario on 28
// November 2026, with 16 clients, and the rate of a floor on that day.
type peer struct {
	scenario, product string
	perSecond         float64
	floor             string
	floorPerSecond    float64
}

func peers() []peer {
	return []peer{
		{"who-am-i", "Supabase Auth", 1841, "select", 10900},
		{"who-am-i", "PocketBase", 3739, "select", 10900},
		{"refresh", "Supabase Auth", 420, "select", 10900},
		{"refresh", "PocketBase", 4120, "select", 10900},
		{"login", "Supabase Auth", 31.7, "bcrypt", 33.6},
		{"login", "PocketBase", 33.2, "bcrypt", 33.6},
	}
}

// peerTable compares the gateway with the peers. It returns nothing if the floors or
// the gateway were not measured with as many clients.
func (r run) peerTable() string {
	rows := [][]string{{"scenario", "product", "then", "scaled", "gateway, PostgreSQL", "ratio", "gateway, SQLite", "ratio"}}
	for _, p := range peers() {
		base, ok := r.find(floor, p.floor, peerClients)
		if !ok {
			continue
		}
		scaled := p.perSecond * base.PerSecond / p.floorPerSecond
		row := []string{code(p.scenario), p.product, number(p.perSecond), number(scaled)}
		measured := false
		for _, engine := range []string{postgres, sqlite} {
			if x, ok := r.find(engine, p.scenario, peerClients); ok {
				measured = true
				row = append(row, number(x.PerSecond), number(x.PerSecond/scaled))
			} else {
				row = append(row, "", "")
			}
		}
		if measured {
			rows = append(rows, row)
		}
	}
	if len(rows) == 1 {
		return ""
	}
	return table(rows)
}
