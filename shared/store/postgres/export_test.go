package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"
)

const ConnIdle, PingAfter = connIdle, pingAfter

type PrimaryLoss = primaryLoss

var (
	Alive  = healthCheckOptions
	Lives  = healthy
	HungUp = hungUp
	LookUp = lookUp

	Unavailable = unavailable
	Undone      = notApplied
)

// Rest makes c look as if it was last used that long ago.
func Rest(c *pgx.Conn, ago time.Duration) {
	c.PgConn().CustomData()[lastUse] = time.Now().Round(0).Add(-ago)
}
