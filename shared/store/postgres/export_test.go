package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"
)

const ConnIdle, PingAfter = connIdle, pingAfter

var (
	Alive  = alive
	Lives  = lives
	HungUp = hungUp

	Unavailable = unavailable
	Undone      = undone
)

// Rest makes c one that was used so long ago.
func Rest(c *pgx.Conn, ago time.Duration) {
	c.PgConn().CustomData()[lastUse] = time.Now().Round(0).Add(-ago)
}
