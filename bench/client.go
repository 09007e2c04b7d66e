package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	password    = "correct horse battery staple"
	filePath    = "/api/files/notes.txt"
	fileSize    = 16 << 10
	listedItems = 20

	storageWait = time.Minute            // until an account exists in Nextcloud
	storagePoll = 200 * time.Millisecond // between two attempts
)

// fileContent is the file that every client uploads and downloads.
var fileContent = strings.Repeat("0123456789abcde\n", fileSize/16)

// A client is a user with a connection. Its methods send one request each; any
// response but the expected one is an error. It is not safe for concurrent use.
type client struct {
	*conn

	number          int
	engine          string // of its gateway; gateways can share a Nextcloud
	turn            int    // counts its requests
	access, refresh string
	gets            map[string][]byte // requests with the access token, by path
}

// connect opens the client's connection anew.
func (c *client) connect(address string, config *tls.Config) (err error) {
	if c.conn != nil {
		c.Close()
	}
	c.conn, err = dial(address, config)
	return err
}

// expect sends the request and returns the body of the response, which must have the
// status.
func (c *client) expect(status int, request []byte) ([]byte, error) {
	resp, err := c.do(request)
	if err == nil && resp.status != status {
		err = fmt.Errorf("status %d, want %d: %s", resp.status, status, resp.body)
	}
	return resp.body, err
}

func (c *client) register() error {
	_, err := c.expect(http.StatusOK, post("/api/auth/register", "", c.credentials()))
	return err
}

func (c *client) login() error {
	return c.takeTokens(post("/api/auth/login", "", c.credentials()))
}

// renew exchanges the refresh token of the last response.
func (c *client) renew() error {
	return c.takeTokens(post("/api/auth/refresh", "", map[string]string{"refresh_token": c.refresh}))
}

// takeTokens sends the request and takes the tokens of the response.
func (c *client) takeTokens(request []byte) error {
	body, err := c.expect(http.StatusOK, request)
	if err != nil {
		return err
	}
	var pair struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &pair); err != nil {
		return err
	}
	c.access, c.refresh, c.gets = pair.Access, pair.Refresh, map[string][]byte{}
	return nil
}

func (c *client) whoAmI() error { return c.get("/api/users/me") }

func (c *client) listSessions() error {
	return c.get(fmt.Sprintf("/api/sessions?limit=%d", listedItems))
}

func (c *client) createSession() error {
	_, err := c.expect(http.StatusCreated, post("/api/sessions", c.access, map[string]string{"title": "Kitchen"}))
	return err
}

func (c *client) download() error { return c.get(filePath) }

// upload replaces the client's file.
func (c *client) upload() error { return c.put(http.StatusNoContent) }

// firstUpload creates the client's file as soon as its account in Nextcloud exists.
func (c *client) firstUpload(ctx context.Context) error {
	return eventually(ctx, func() error { return c.put(http.StatusCreated) })
}

// eventually calls fn until it succeeds.
func eventually(ctx context.Context, fn func() error) error {
	ctx, cancel := context.WithTimeout(ctx, storageWait)
	defer cancel()
	for {
		err := fn()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(storagePoll):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (c *client) put(status int) error {
	_, err := c.expect(status, newRequest(http.MethodPut, filePath, c.access, "application/octet-stream", fileContent))
	return err
}

func (c *client) get(path string) error {
	if c.gets[path] == nil {
		c.gets[path] = newRequest(http.MethodGet, path, c.access, "", "")
	}
	_, err := c.expect(http.StatusOK, c.gets[path])
	return err
}

func (c *client) credentials() map[string]string {
	return map[string]string{"email": fmt.Sprintf("client-%d@%s.example.org", c.number, c.engine), "password": password}
}

// post returns a request with a JSON document.
func post(path, token string, body map[string]string) []byte {
	text, _ := json.Marshal(body) // strings cannot fail
	return newRequest(http.MethodPost, path, token, "application/json", string(text))
}
