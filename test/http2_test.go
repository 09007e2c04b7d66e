package test_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestHTTP2_RefusesMalformedRequests sends requests that are malformed as RFC 9113 section
// 8 defines it, and otherwise valid.
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

// http2 sends a request as frames, with fields separated by semicolons, and returns the
// status of the response or the error that ended it.
func (p *process) http2(t *testing.T, method, path, fields, body string) string {
	t.Helper()
	var data []string
	if body != "" {
		data = []string{body}
	}
	resp, failed := p.frames(t, method, path, fields, data...)
	if failed != "" {
		return failed
	}
	return strconv.Itoa(resp.StatusCode)
}

// frames sends a request with the body in these frames; the last one ends the stream.
// Without any, the headers end it. It returns the response, or the error that came
// instead.
func (p *process) frames(t *testing.T, method, path, fields string, data ...string) (_ *http.Response, failed string) {
	t.Helper()
	config := p.client.Transport.(*http.Transport).TLSClientConfig.Clone()
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
	for field := range strings.SplitSeq(":method: "+method+";:scheme: https;:authority: voiceassist.local;:path: "+path+";"+fields, ";") {
		name, value, _ := strings.Cut(field[1:], ": ")
		if err := encoder.WriteField(hpack.HeaderField{Name: field[:1] + name, Value: value}); err != nil {
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
		StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: len(data) == 0,
	}))
	for i, part := range data {
		send(framer.WriteData(stream, i == len(data)-1, []byte(part)))
	}
	return readFrames(framer)
}

// readFrames reads the response to the only request of a connection.
func readFrames(framer *http2.Framer) (resp *http.Response, failed string) {
	var body bytes.Buffer
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return resp, err.Error()
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			resp = &http.Response{Header: http.Header{}, Body: io.NopCloser(&body)}
			resp.StatusCode, _ = strconv.Atoi(f.PseudoValue("status"))
			for _, field := range f.RegularFields() {
				resp.Header.Add(field.Name, field.Value)
			}
		case *http2.DataFrame:
			body.Write(f.Data())
		case *http2.RSTStreamFrame:
			return resp, f.ErrCode.String()
		case *http2.GoAwayFrame:
			return resp, f.ErrCode.String()
		}
		if resp != nil && frame.Header().Flags.Has(http2.FlagDataEndStream) { // on headers it is the same bit
			return resp, ""
		}
	}
}
