package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

const healthTimeout = 4 * time.Second // below the 5 s that HEALTHCHECK of the image allows

// CheckHealth requests /health from the server on this machine that has these
// settings. It uses plain HTTP, so that no certificate has to be verified. The error
// says why the server is not healthy.
func (s Settings) CheckHealth(ctx context.Context) error {
	host, port, err := net.SplitHostPort(s.HTTPAddr)
	if err != nil {
		return fmt.Errorf("HTTP_ADDR: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/health", http.NoBody)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("healthcheck: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("healthcheck: the gateway responded with %s", resp.Status)
	}
	return nil
}
