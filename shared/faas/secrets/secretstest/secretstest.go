// Package secretstest emulates AWS Secrets Manager for tests: one call,
// GetSecretValue, over HTTP. It takes no request whose signature is not right;
// it computes that itself, so what signs and what checks are two.
package secretstest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Whom the server knows, as Lambda would give it to a function.
const (
	AccessKeyID  = "ASIAEXAMPLEEXAMPLE12"
	SecretKey    = "wJalrXUtnFEMI/K7MDENG+secretstest+EXAMPLEKEY"
	SessionToken = "IQoJb3JpZ2luX2VjEXAMPLEsecretstestTOKEN=="
	Region       = "eu-central-1"
)

// A Server is a Secrets Manager with the secrets of one test. Safe for
// concurrent use.
type Server struct {
	URL string

	mu      sync.Mutex
	secrets map[string]secret // by ARN and by name
	fails   []failure         // the next answers
	hold    chan struct{}     // answers wait until it is closed; may be nil
	asked   chan struct{}     // gets one for every request that waits
	fetches int
	refused int
}

type secret struct {
	arn, name, version string
	members            map[string]any // exactly as answered
}

type failure struct {
	status int
	code   string
}

// New starts a server that ends with tb.
func New(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{secrets: map[string]secret{}, asked: make(chan struct{}, 1000)}
	server := httptest.NewServer(s)
	tb.Cleanup(func() {
		s.Release()
		server.Close()
	})
	s.URL = server.URL
	return s
}

// Env returns the variables by which a function reaches the server and reads
// the secrets.
func (s *Server) Env(refs ...string) []string {
	return []string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + s.URL, "SECRETS_ARNS=" + strings.Join(refs, ","),
		"AWS_REGION=" + Region, "AWS_ACCESS_KEY_ID=" + AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + SecretKey, "AWS_SESSION_TOKEN=" + SessionToken,
	}
}

// Put makes a secret of the members, or a new version of it, and returns its
// ARN.
func (s *Server) Put(tb testing.TB, name string, members map[string]string) (arn string) {
	tb.Helper()
	text, err := json.Marshal(members)
	if err != nil {
		tb.Fatal(err)
	}
	return s.PutText(name, string(text))
}

// PutText is [Server.Put] with any text.
func (s *Server) PutText(name, text string) (arn string) {
	return s.put(name, map[string]any{"SecretString": text})
}

// PutBinary is [Server.Put] with bytes, which are not read as settings.
func (s *Server) PutBinary(name string, value []byte) (arn string) {
	return s.put(name, map[string]any{"SecretBinary": value})
}

func (s *Server) put(name string, value map[string]any) (arn string) {
	arn = "arn:aws:secretsmanager:" + Region + ":123456789012:secret:" + name + "-AbCdEf"
	version := make([]byte, 16)
	rand.Read(version)
	s.mu.Lock()
	defer s.mu.Unlock()
	v := secret{arn: arn, name: name, version: hex.EncodeToString(version), members: value}
	s.secrets[arn], s.secrets[name] = v, v
	return arn
}

// Fail makes the next n requests fail.
func (s *Server) Fail(n, status int, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.fails = append(s.fails, failure{status, code})
	}
}

// Hold makes requests wait until [Server.Release]. It returns a channel that
// gets a value for each that waits.
func (s *Server) Hold() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = make(chan struct{})
	return s.asked
}

// Release answers what waits, and what comes.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold != nil {
		close(s.hold)
		s.hold = nil
	}
}

// Fetches returns how many requests there were, failed ones included.
func (s *Server) Fetches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

// Refused returns how many of them had no good signature.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client left
	}
	s.mu.Lock()
	s.fetches++
	hold := s.hold
	s.mu.Unlock()
	if hold != nil {
		s.asked <- struct{}{}
		<-hold
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if problem := check(r, body, time.Now()); problem != "" {
		s.refused++
		// As AWS does, it repeats what was to be signed, session token included.
		fail(w, http.StatusBadRequest, "InvalidSignatureException", problem+" "+SessionToken)
		return
	}
	if len(s.fails) > 0 {
		f := s.fails[0]
		s.fails = s.fails[1:]
		fail(w, f.status, f.code, "told to fail; "+SessionToken)
		return
	}
	var q struct{ SecretId string }
	if err := json.Unmarshal(body, &q); err != nil {
		fail(w, http.StatusBadRequest, "SerializationException", err.Error())
		return
	}
	v, ok := s.secrets[q.SecretId]
	if !ok {
		fail(w, http.StatusBadRequest, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
		return
	}
	answer := map[string]any{
		"ARN": v.arn, "Name": v.name, "VersionId": v.version,
		"VersionStages": []string{"AWSCURRENT"}, "CreatedDate": 1.7e9,
	}
	maps.Copy(answer, v.members)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	json.NewEncoder(w).Encode(answer)
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{
		"__type": "com.amazonaws.secretsmanager#" + code, "Message": message,
	})
}

// check returns what is wrong with a request, or nothing.
func check(r *http.Request, body []byte, now time.Time) string {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	switch {
	case r.Method != http.MethodPost || r.URL.RequestURI() != "/":
		return "not a call: " + r.Method + " " + r.URL.RequestURI()
	case r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue":
		return "an unknown target"
	case r.Header.Get("Content-Type") != "application/x-amz-json-1.1":
		return "an unknown content type"
	case r.Header.Get("X-Amz-Security-Token") != SessionToken:
		return "an unknown session"
	case err != nil || now.Sub(at).Abs() > 5*time.Minute:
		return "a signature of another time"
	}
	const signed = "content-length;content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
	scope := at.Format("20060102") + "/" + Region + "/secretsmanager/aws4_request"
	canonical := fmt.Sprintf("POST\n/\n\ncontent-length:%d\ncontent-type:%s\nhost:%s\nx-amz-date:%s\nx-amz-security-token:%s\nx-amz-target:%s\n\n%s\n%x",
		len(body), r.Header.Get("Content-Type"), r.Host, r.Header.Get("X-Amz-Date"), r.Header.Get("X-Amz-Security-Token"),
		r.Header.Get("X-Amz-Target"), signed, sha256.Sum256(body))
	text := fmt.Sprintf("AWS4-HMAC-SHA256\n%s\n%s\n%x", r.Header.Get("X-Amz-Date"), scope, sha256.Sum256([]byte(canonical)))
	key := []byte("AWS4" + SecretKey)
	for _, part := range append(strings.Split(scope, "/"), text) {
		h := hmac.New(sha256.New, key)
		io.WriteString(h, part)
		key = h.Sum(nil)
	}
	want := fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x", AccessKeyID, scope, signed, key)
	if r.Header.Get("Authorization") != want {
		return "the signature does not match: " + canonical
	}
	return ""
}
