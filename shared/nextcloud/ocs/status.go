package ocs

import (
	"context"
	"net/http"
	"time"
)

// The major versions of Nextcloud that the gateway supports. docker-compose.yml runs the
// newest, and the doctor warns of others.
const (
	OldestVersion = 27
	NewestVersion = 34
)

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
