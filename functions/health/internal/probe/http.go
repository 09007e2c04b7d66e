package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/voiceassist/gateway/shared/nextcloud"
)

// maxAnswer bounds the bytes read of a response; the expected responses are far shorter.
const maxAnswer = 64 << 10

// Qdrant returns a probe of the Qdrant server at base. It calls GET /readyz, which waits
// for the shards, or /healthz if the server is too old for it.
func Qdrant(base *url.URL) Probe {
	c := client()
	return func(ctx context.Context) error {
		status, _, err := get(ctx, c, base.JoinPath("readyz"))
		if err == nil && status == http.StatusNotFound {
			status, _, err = get(ctx, c, base.JoinPath("healthz"))
		}
		if err != nil {
			return err
		}
		return expectOK(status)
	}
}

// Nextcloud returns a probe of the Nextcloud server at base: status.php must report that
// it is installed, not in maintenance mode, and does not need an upgrade. c must not
// follow redirects.
func Nextcloud(base *url.URL, c *http.Client) Probe {
	return func(ctx context.Context) error {
		status, body, err := get(ctx, c, base.JoinPath("status.php"))
		if err != nil {
			return err
		}
		return judge(status, body)
	}
}

// judge evaluates the response of status.php.
func judge(status int, body []byte) error {
	s, err := nextcloud.ParseStatus(body)
	switch {
	case status == http.StatusBadRequest && s.UntrustedHost:
		return &Failure{Text: "the host name it is called by is not in its trusted_domains"}
	case s.Maintenance: // also with status 503
		return &Failure{Text: "in maintenance mode"}
	case status != http.StatusOK:
		return expectOK(status)
	case err != nil:
		return &Failure{Text: "the answer is not that of a Nextcloud", cause: err}
	case !s.Installed:
		return &Failure{Text: "not installed yet"}
	case s.NeedsUpgrade:
		return &Failure{Text: "waiting for the upgrade of its database"}
	}
	return nil
}

// expectOK returns an error unless the status is 200. A redirect is an error, too: it
// means that the configured address is wrong.
func expectOK(status int) error {
	if status != http.StatusOK {
		return &Failure{Text: fmt.Sprintf("answered with status %d", status)}
	}
	return nil
}

// client returns an HTTP client that keeps one connection and follows no redirects.
func client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
			MaxIdleConnsPerHost: 1,
			IdleConnTimeout:     Timeout, // reused by a probe every second, closed after a rare one
			ForceAttemptHTTP2:   true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get returns the status and at most [maxAnswer] bytes of the body.
func get(ctx context.Context, c *http.Client, u *url.URL) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return 0, nil, Failed(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, nil, Failed(err)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return 0, nil, Failed(err)
	}
	return resp.StatusCode, body, nil
}
