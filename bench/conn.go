package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
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
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path)
	if token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", token)
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: %s\r\nContent-Length: %d\r\n", contentType, len(body))
	}
	fmt.Fprintf(&b, "\r\n%s", body)
	return b.Bytes()
}
