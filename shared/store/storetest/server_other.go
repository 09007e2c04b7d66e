//go:build !unix

package storetest

import "errors"

func startServer() (*server, error) {
	return nil, errors.New("a throw-away cluster needs a Unix; set TEST_DATABASE_URL to a server's URL")
}
