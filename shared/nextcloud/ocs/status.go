package ocs

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/internal/transport"
)

// The major versions of Nextcloud that the gateway supports. docker-compose.yml runs the
// newest, and the doctor warns of others.
const (
	OldestVersion = 27
	NewestVersion = 34
)

// A Status is the public state of a server.
type Status struct {
	Installed    bool
	Maintenance  bool // maintenance mode: all other requests fail with 503
	NeedsUpgrade bool // the files are newer than the database
	Version      string
}

// Usable reports whether the server accepts calls.
func (s Status) Usable() bool { return s.Installed && !s.Maintenance && !s.NeedsUpgrade }

// Status reads status.php, without credentials.
func (c *Client) Status(ctx context.Context) (Status, error) {
	const op = "status"
	got, failure := c.send(ctx, call{op: op, method: http.MethodGet}, c.server.URL("status.php"))
	if failure != nil {
		return Status{}, failure
	}
	var doc struct {
		Installed      *bool  `json:"installed"`
		Maintenance    bool   `json:"maintenance"`
		NeedsDBUpgrade bool   `json:"needsDbUpgrade"`
		Version        string `json:"versionstring"`
	}
	e := &Error{Op: op, Kind: ErrBadAnswer, Status: got.status, RetryAfter: transport.RetryAfter(got.header)}
	switch err := json.Unmarshal(got.body, &doc); {
	case err == nil && doc.Installed != nil: // older servers send 503 in maintenance
		return Status{*doc.Installed, doc.Maintenance, doc.NeedsDBUpgrade, doc.Version}, nil
	case got.status >= http.StatusInternalServerError:
		e.Kind = ErrUnavailable
	case got.status == http.StatusTooManyRequests:
		e.Kind, e.RetryAfter = ErrRateLimited, max(e.RetryAfter, time.Second)
	}
	return Status{}, e
}

// A Throttle is how the server delays calls from this address after failed logins.
type Throttle struct {
	Delay     time.Duration // before every call with credentials, right or wrong
	AllowList bool          // this address is exempt
}

// Throttle returns, without credentials, how the server delays calls from this address.
func (c *Client) Throttle(ctx context.Context) (Throttle, error) {
	var got struct {
		Capabilities struct {
			BruteForce struct {
				Delay     float64 `json:"delay"` // milliseconds
				AllowList bool    `json:"allow-listed"`
			} `json:"bruteforce"`
		} `json:"capabilities"`
	}
	err := c.do(ctx, call{
		op: "capabilities", method: http.MethodGet, path: []string{"cloud", "capabilities"}, data: &got,
	})
	if err != nil {
		return Throttle{}, err
	}
	b := got.Capabilities.BruteForce
	return Throttle{time.Duration(b.Delay * float64(time.Millisecond)), b.AllowList}, nil
}
