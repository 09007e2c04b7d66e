package secrets

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	attempts       = 2               // of one call; see retryable
	attemptTimeout = 2 * time.Second // an answer takes about 10 ms
	attemptPause   = 100 * time.Millisecond
	maxAnswer      = 512 << 10 // bytes; a secret has at most 64 KiB, which JSON may write sixfold
)

// An Error says that a secret could not be read. It contains no secret value.
type Error struct {
	Secret string // the ARN or the name
	Status int    // of the response; 0 if there was none
	Code   string // AWS's error code, such as AccessDeniedException; may be empty
	cause  error
}

// Error names the secret and the cause.
func (e *Error) Error() string {
	switch {
	case e.Code != "":
		return fmt.Sprintf("secret %s: %s (status %d)", e.Secret, e.Code, e.Status)
	case e.cause != nil:
		return fmt.Sprintf("secret %s: %v", e.Secret, e.cause)
	}
	return fmt.Sprintf("secret %s: status %d", e.Secret, e.Status)
}

// Unwrap returns the cause, or nil if Secrets Manager gave an error code.
func (e *Error) Unwrap() error { return e.cause }

// retryable reports whether the failure may be transient.
func (e *Error) retryable() bool {
	switch e.Code {
	case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded",
		"InternalServiceError", "InternalServiceErrorException":
		return true
	}
	return e.Status == 0 || e.Status == http.StatusTooManyRequests || e.Status >= 500
}

// A client calls Secrets Manager (API version 2017-10-17).
type client struct {
	http        *http.Client
	endpoint    *url.URL // nil: the endpoint of the secret's region
	credentials credentials
	now         func() time.Time
}

func newHTTP() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: time.Second}).DialContext,
			TLSHandshakeTimeout:   time.Second,
			ResponseHeaderTimeout: attemptTimeout,
		},
		// The signature is valid for one host only.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get returns the text of a secret's current version, and the id of that version. It
// retries once.
func (c *client) get(ctx context.Context, ref Ref) (text, version string, err error) {
	for attempt := 1; ; attempt++ {
		text, version, err = c.getOnce(ctx, ref)
		e, failed := errors.AsType[*Error](err)
		if !failed || attempt == attempts || !e.retryable() || !pause(ctx) {
			return text, version, err
		}
	}
}

// pause waits briefly and reports whether ctx is still valid.
func pause(ctx context.Context) bool {
	t := time.NewTimer(attemptPause/2 + rand.N(attemptPause))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *client) getOnce(ctx context.Context, ref Ref) (text, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	status, answer, err := c.call(ctx, ref)
	if err != nil {
		return "", "", &Error{Secret: ref.String(), Status: status, cause: err}
	}
	if status != http.StatusOK {
		return "", "", &Error{Secret: ref.String(), Status: status, Code: errorCode(answer)}
	}
	var value struct {
		SecretString *string
		VersionId    string
	}
	if json.Unmarshal(answer, &value) != nil { // the error may quote the value
		return "", "", &Error{Secret: ref.String(), Status: status, cause: errors.New("the response is not JSON")}
	}
	if value.SecretString == nil {
		return "", "", &Error{Secret: ref.String(), Status: status, cause: errors.New("its value is binary")}
	}
	return *value.SecretString, value.VersionId, nil
}

// call sends GetSecretValue and returns the status and the body of the response.
func (c *client) call(ctx context.Context, ref Ref) (status int, answer []byte, err error) {
	body, err := json.Marshal(map[string]string{"SecretId": ref.String()})
	if err != nil {
		return 0, nil, err // unreachable: a string can be encoded
	}
	endpoint := cmp.Or(c.endpoint, &url.URL{Scheme: "https", Host: ref.host(), Path: "/"})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "secretsmanager.GetSecretValue")
	if err := sign(r, body, c.credentials, ref.region, "secretsmanager", c.now()); err != nil {
		return 0, nil, fmt.Errorf("sign the request: %w", err)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("read the response: %w", err)
	}
	if len(answer) > maxAnswer {
		return resp.StatusCode, nil, fmt.Errorf("the response has more than %d bytes", maxAnswer)
	}
	return resp.StatusCode, answer, nil
}

// errorCode returns AWS's error code, and nothing else of the response.
func errorCode(answer []byte) string {
	var body struct {
		Type string `json:"__type"`
	}
	if json.Unmarshal(answer, &body) != nil {
		return ""
	}
	code := body.Type[strings.LastIndexByte(body.Type, '#')+1:]
	odd := strings.ContainsFunc(code, func(c rune) bool { return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') })
	if odd || len(code) > 64 {
		return ""
	}
	return code
}
