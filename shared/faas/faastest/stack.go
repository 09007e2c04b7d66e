package faastest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A Stack plays the part of CloudFormation for a custom resource: it creates requests and
// receives the responses at a presigned URL, over TLS, under the host name of AWS. A
// function reaches it through the variables of [Stack.Env], which set a proxy and a
// trusted certificate authority. It is safe for concurrent use.
type Stack struct {
	env     []string
	answers chan StackResponse

	mu    sync.Mutex
	fails []int
}

// A StackResponse is a function's response to CloudFormation.
type StackResponse struct {
	Status             string
	Reason             string
	PhysicalResourceID string `json:"PhysicalResourceId"`
	StackID            string `json:"StackId"`
	RequestID          string `json:"RequestId"`
	LogicalResourceID  string `json:"LogicalResourceId"`
	Data               map[string]string
}

const (
	stackHost      = "cloudformation-custom-resource-response-eucentral1.s3.eu-central-1.amazonaws.com"
	stackPath      = "/arn%3Aaws%3Acloudformation%3Aeu-central-1%3A123456789012%3Astack/gateway/0"
	stackSignature = "X-Amz-Signature=0123456789abcdef" // of the presigned URL
	maxAnswer      = 4096                               // bytes; the limit of CloudFormation
)

// NewStack starts a stack that is closed when tb ends.
func NewStack(tb testing.TB) *Stack {
	tb.Helper()
	s := &Stack{answers: make(chan StackResponse, 100)}
	ca, certificate := newCertificate(tb, stackHost)
	file := filepath.Join(tb.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		tb.Fatal(err)
	}
	bucket := httptest.NewUnstartedServer(http.HandlerFunc(s.receive))
	bucket.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	bucket.StartTLS()
	tb.Cleanup(bucket.Close)
	proxy := httptest.NewServer(tunnel(bucket.Listener.Addr().String()))
	tb.Cleanup(proxy.Close)
	s.env = []string{"HTTPS_PROXY=" + proxy.URL, "SSL_CERT_FILE=" + file}
	return s
}

// Env returns the environment variables through which a function reaches the stack.
func (s *Stack) Env() []string { return s.env }

// Request returns the event of a request. kind is Create, Update or Delete.
func (s *Stack) Request(tb testing.TB, kind string, properties map[string]any) []byte {
	tb.Helper()
	e := map[string]any{
		"RequestType": kind, "RequestId": "7bfe2d54-0c3c-4b1b-9a5e-1f0b6f4d2a11",
		"ResponseURL":  "https://" + stackHost + stackPath + "?" + stackSignature,
		"StackId":      "arn:aws:cloudformation:eu-central-1:123456789012:stack/gateway/0",
		"ResourceType": "Custom::Migration", "LogicalResourceId": "Migration",
		"ResourceProperties": properties,
	}
	if kind != "Create" {
		e["PhysicalResourceId"], e["OldResourceProperties"] = "physical-1", map[string]any{}
	}
	b, err := json.Marshal(e)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// Responses returns the channel of the received responses.
func (s *Stack) Responses() <-chan StackResponse { return s.answers }

// Fail makes the next responses of the function fail with these statuses.
func (s *Stack) Fail(statuses ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = append(s.fails, statuses...)
}

// receive handles the presigned URL. It is signed without a content type, so a request with
// one is refused.
func (s *Stack) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, typed := r.Header["Content-Type"]
	var a StackResponse
	switch {
	case len(s.fails) > 0:
		w.WriteHeader(s.fails[0])
		s.fails = s.fails[1:]
	case r.Method != http.MethodPut || r.Host != stackHost || r.URL.EscapedPath() != stackPath ||
		r.URL.RawQuery != stackSignature || typed:
		w.WriteHeader(http.StatusForbidden)
	case r.ContentLength < 0: // S3 does not accept chunked encoding
		w.WriteHeader(http.StatusLengthRequired)
	case err != nil || len(body) > maxAnswer || json.Unmarshal(body, &a) != nil:
		w.WriteHeader(http.StatusBadRequest)
	default:
		s.answers <- a
	}
}

// tunnel returns a proxy that forwards connections to stackHost to addr.
func tunnel(addr string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Host != stackHost+":443" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		to, err := (&net.Dialer{}).DialContext(r.Context(), "tcp", addr)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer to.Close()
		w.WriteHeader(http.StatusOK)
		from, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer from.Close()
		go io.Copy(to, buffered)
		io.Copy(from, to)
	}
}

// newCertificate returns a self-signed certificate for host, in PEM as the authority and with its
// key.
func newCertificate(tb testing.TB, host string) ([]byte, tls.Certificate) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template(host), template(host), key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// template returns the template of a self-signed certificate for host.
func template(host string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}
