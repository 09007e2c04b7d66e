package test_test

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestHTTP2_RefusesMalformedRequests sends what RFC 9113 section 8 calls
// malformed, in requests that are good but for that.
func TestHTTP2_RefusesMalformedRequests(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), nil)
	const body = `{"email":"ada@example.org","password":"correct horse battery staple"}`
	for _, test := range []struct{ name, method, path, fields, body, want string }{
		{"a good one", "GET", "/health", "x-a: b", "", "200"},
		{"a header of the connection", "GET", "/health", "connection: close", "", "400"},
		{"a header of the connection", "GET", "/health", "transfer-encoding: chunked", "", "400"},
		{"a header of the connection", "GET", "/health", "upgrade: h2c", "", "400"},
		{"a line end in a value", "GET", "/health", "x-a: b\r\nx-b: c", "", "PROTOCOL_ERROR"},
		{"a line end in a value", "GET", "/health", "x-a: b\nc", "", "PROTOCOL_ERROR"},
		{"a line end in a name", "GET", "/health", "x-a\r\nx-b: c", "", "PROTOCOL_ERROR"},
		{"a name in capitals", "GET", "/health", "X-A: b", "", "PROTOCOL_ERROR"},
		{"a body", "POST", "/api/auth/register", "content-type: application/json", body, "200"},
		{"a length that is not the body's", "POST", "/api/auth/register", "content-type: application/json;content-length: 69", body + "  ", "PROTOCOL_ERROR"},
		{"a length that is not the body's", "POST", "/api/auth/register", "content-type: application/json;content-length: 99", body, "400"},
	} {
		if got := p.http2(t, test.method, test.path, test.fields, test.body); got != test.want {
			t.Errorf("%s, %q: got %s, want %s", test.name, test.fields, got, test.want)
		}
	}
}

// http2 sends a request as frames, with fields that are separated by semicolons,
// and returns the status of the answer or the error that ended it.
func (p *process) http2(t *testing.T, method, path, fields, body string) string {
	t.Helper()
	config := p.client.Transport.(*http.Transport).TLSClientConfig.Clone() //nolint:forcetypeassert // made in client
	config.NextProtos = []string{http2.NextProtoTLS}
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.https, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(answerTime)); err != nil {
		t.Fatal(err)
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for field := range strings.SplitSeq(":method: "+method+";:scheme: https;:authority: localhost;:path: "+path+";"+fields, ";") {
		colon := strings.Index(field[1:], ": ") + 1
		if err := encoder.WriteField(hpack.HeaderField{Name: field[:colon], Value: field[colon+2:]}); err != nil {
			t.Fatal(err)
		}
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	const stream = 1
	send := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = conn.Write([]byte(http2.ClientPreface))
	send(err)
	send(framer.WriteSettings())
	send(framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: body == "",
	}))
	if body != "" {
		send(framer.WriteData(stream, true, []byte(body)))
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return err.Error()
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			return f.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return f.ErrCode.String()
		case *http2.GoAwayFrame:
			return f.ErrCode.String()
		}
	}
}
