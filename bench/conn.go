package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// answerTimeout is how long a server may take for one response.
const answerTimeout = time.Minute

// A conn is one keep-alive connection of HTTP/1.1 over TLS. Its requests are bytes that
// are ready to be sent, since the generator shares the processors with what it
// measures: it takes half of the processor time of vegeta, which uses the client of
// net/http. It is not safe for concurrent use.
type conn struct {
	net.Conn

	reader *bufio.Reader
	body   bytes.Buffer // of the last response
	part   []byte       // of stream
}

// A response is valid until the next request on its connection.
type response struct {
	status     int
	retryAfter time.Duration
	body       []byte
}

func dial(address string, config *tls.Config) (*conn, error) {
	c, err := tls.Dial("tcp", address, config)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, reader: bufio.NewReader(c)}, nil
}

// do sends the request and returns the response.
func (c *conn) do(request []byte) (response, error) {
	c.SetDeadline(time.Now().Add(answerTimeout))
	if _, err := c.Write(request); err != nil {
		return response{}, err
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return response{}, err
	}
	c.body.Reset()
	if _, err := c.body.ReadFrom(resp.Body); err != nil {
		return response{}, err
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // 0 without one
	return response{resp.StatusCode, time.Duration(seconds) * time.Second, c.body.Bytes()}, nil
}

// newRequest returns the bytes of a request. An empty token or body is left out.
func newRequest(method, path, token, contentType, body string) []byte {
	var fields string
	if token != "" {
		fields = "Authorization: Bearer " + token + "\r\n"
	}
	if body != "" {
		fields += "Content-Type: " + contentType + "\r\n"
	}
	return request(method, path, fields, body)
}

// request returns the bytes of a request with these header fields, each with its line end.
func request(method, path, fields, body string) []byte {
	var b bytes.Buffer
	writeHead(&b, method, path, fields, len(body))
	b.WriteString(body)
	return b.Bytes()
}

func writeHead(w io.Writer, method, path, fields string, size int) {
	if size > 0 {
		fields += fmt.Sprintf("Content-Length: %d\r\n", size)
	}
	fmt.Fprintf(w, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", method, path, fields)
}

// stream sends a request whose body may be large, and discards that of the response.
func (c *conn) stream(method, path, fields, body string, status int) error {
	c.SetDeadline(time.Now().Add(answerTimeout))
	head := bufio.NewWriterSize(c, 2*smallFile)
	writeHead(head, method, path, fields, len(body))
	if len(body) <= smallFile { // in one write, as request
		fmt.Fprint(head, body)
		body = ""
	}
	if err := head.Flush(); err != nil {
		return err
	}
	if c.part == nil {
		c.part = make([]byte, streamPart)
	}
	for len(body) > 0 {
		n := copy(c.part, body)
		if _, err := c.Write(c.part[:n]); err != nil {
			return err
		}
		body = body[n:]
	}
	resp, err := http.ReadResponse(c.reader, &http.Request{Method: method})
	if err != nil {
		return err
	}
	if resp.StatusCode != status {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, streamPart))
		return fmt.Errorf("%s %s: status %d, want %d: %s", method, path, resp.StatusCode, status, text)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{resp.Body}, c.part)
	return err
}

// streamPart is how many bytes of a body stream writes or reads at a time.
const streamPart = 256 << 10
