// Package sigv4 signs requests to AWS (Signature Version 4), for the one call or
// two that a function makes: the SDK would lengthen every cold start for them.
// It signs the headers and the body of a request as it will be sent; it knows
// neither presigned URLs, nor bodies in chunks, nor paths that need escaping.
//
// Source: AWS Identity and Access Management User Guide, "Create a signed AWS
// API request".
package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// Credentials are whom a request is signed for, as Lambda gives them to a
// function in its environment.
type Credentials struct {
	AccessKeyID     string        // AWS_ACCESS_KEY_ID; it is sent
	SecretAccessKey secret.String // AWS_SECRET_ACCESS_KEY; it never is
	SessionToken    secret.String // AWS_SESSION_TOKEN; it is sent; empty for users of IAM
}

const (
	algorithm  = "AWS4-HMAC-SHA256"
	timeFormat = "20060102T150405Z"
)

// Sign adds X-Amz-Date, X-Amz-Security-Token where there is a session, and
// Authorization to r. body is what r will send. Every header that r has by then
// is signed, so add none afterwards; the transport's own do not count. AWS takes
// the signature for five minutes around now.
func Sign(r *http.Request, body []byte, c Credentials, region, service string, now time.Time) {
	at := now.UTC().Format(timeFormat)
	r.Header.Set("X-Amz-Date", at)
	if c.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", c.SessionToken.Reveal())
	}
	canonical, signed := canonicalRequest(r, body)
	day := at[:len("20060102")]
	scope := day + "/" + region + "/" + service + "/aws4_request"
	text := strings.Join([]string{algorithm, at, scope, hexHash([]byte(canonical))}, "\n")
	signature := hex.EncodeToString(mac(signingKey(c.SecretAccessKey, day, region, service), text))
	r.Header.Set("Authorization", algorithm+" Credential="+c.AccessKeyID+"/"+scope+
		", SignedHeaders="+signed+", Signature="+signature)
}

// canonicalRequest returns the form of r that is hashed, and the names of the
// headers in it.
func canonicalRequest(r *http.Request, body []byte) (canonical, signed string) {
	lines := map[string]string{"host": cmp.Or(r.Host, r.URL.Host)}
	for name, values := range r.Header {
		trimmed := make([]string, len(values))
		for i, v := range values {
			trimmed[i] = strings.Join(strings.Fields(v), " ")
		}
		lines[strings.ToLower(name)] = strings.Join(trimmed, ",")
	}
	names := slices.Sorted(maps.Keys(lines))
	signed = strings.Join(names, ";")
	var b strings.Builder
	b.WriteString(r.Method + "\n" + cmp.Or(r.URL.EscapedPath(), "/") + "\n" + query(r.URL) + "\n")
	for _, name := range names {
		b.WriteString(name + ":" + lines[name] + "\n")
	}
	b.WriteString("\n" + signed + "\n" + hexHash(body))
	return b.String(), signed
}

// query returns the query, sorted by name and then by value.
func query(u *url.URL) string {
	q := u.Query()
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(q)) {
		for _, v := range slices.Sorted(slices.Values(q[name])) {
			pairs = append(pairs, escape(name)+"="+escape(v))
		}
	}
	return strings.Join(pairs, "&")
}

// escape escapes all but the unreserved characters (RFC 3986 section 2.3).
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// signingKey is the secret key, bound to one day, region and service.
func signingKey(secret secret.String, day, region, service string) []byte {
	key := []byte("AWS4" + secret.Reveal())
	for _, part := range []string{day, region, service, "aws4_request"} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
