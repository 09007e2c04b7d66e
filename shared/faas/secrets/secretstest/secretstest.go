// Package secretstest emulates AWS Secrets Manager for tests: one call, GetSecretValue,
// over HTTP. It rejects requests without a valid signature. It computes the signature
// independently of the code under test.
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

// The credentials and the region that the server accepts, as Lambda would set them.
const (
	AccessKeyID  = "ASIAEXAMPLEEXAMPLE12"
	SecretKey    = "wJalrXUtnFEMI/K7MDENG+secretstest+EXAMPLEKEY"
	SessionToken = "IQoJb3JpZ2luX2VjEXAMPLEsecretstestTOKEN=="
	Region       = "eu-central-1"
)

// A Server emulates Secrets Manager with the secrets of one test. It is safe for
// concurrent use.
type Server struct {
	URL string

	mu      sync.Mutex
	secrets map[string]secret // by ARN and by name
	fails   []failure         // of the next requests
	hold    chan struct{}     // requests wait until it is closed; may be nil
	asked   chan struct{}     // gets a value for every waiting request
	fetches int
	refused int
}

type secret struct {
	arn, name, version string
	members            map[string]any // exactly as in the response
}

type failure struct {
	status int
	code   string
}

// New starts a server that is closed when tb ends.
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

// Env returns the variables through which a function reaches the server and reads the
// secrets.
func (s *Server) Env(refs ...string) []string {
	return []string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + s.URL, "SECRETS_ARNS=" + strings.Join(refs, ","),
		"AWS_REGION=" + Region, "AWS_ACCESS_KEY_ID=" + AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + SecretKey, "AWS_SESSION_TOKEN=" + SessionToken,
	}
}

// Put stores the members as a secret, or as a new version of it, and returns the ARN.
func (s *Server) Put(tb testing.TB, name string, members map[string]string) (arn string) {
	tb.Helper()
	text, err := json.Marshal(members)
	if err != nil {
		tb.Fatal(err)
	}
	return s.PutText(name, string(text))
}

// PutText is [Server.Put] for any text.
func (s *Server) PutText(name, text string) (arn string) {
	return s.put(name, map[string]any{"SecretString": text})
}

// PutBinary is [Server.Put] for a binary value, which the gateway refuses.
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

// Hold makes requests wait until [Server.Release]. It returns a channel that receives a
// value for each waiting request.
func (s *Server) Hold() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = make(chan struct{})
	return s.asked
}

// Release lets waiting and later requests proceed.
func (s *Server) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hold != nil {
		close(s.hold)
		s.hold = nil
	}
}

// Fetches returns the number of requests, including failed ones.
func (s *Server) Fetches() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

// Refused returns the number of requests without a valid signature.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// ServeHTTP handles one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
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
		// Like AWS, repeat what was signed, including the session token.
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

// check returns what is wrong with a request, or "".
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
