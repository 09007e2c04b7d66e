package doctor_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/cmd/gateway/internal/doctor"
	"github.com/voiceassist/gateway/shared/foundation/porttest"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// nameServer is a resolver whose name server answers every question with that
// code (RFC 1035 section 4.1.1).
func nameServer(code byte) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			for {
				var size [2]byte
				if _, err := io.ReadFull(theirs, size[:]); err != nil {
					return
				}
				message := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(theirs, message); err != nil {
					return
				}
				end := 12 // the header; then the name, its type and class
				for message[end] != 0 {
					end += int(message[end]) + 1
				}
				message = message[:end+5]
				message[2] |= 0x80 // an answer
				message[3] = 0x80 | code
				message[10], message[11] = 0, 0 // without what the question added
				binary.BigEndian.PutUint16(size[:], uint16(len(message)))
				if _, err := theirs.Write(append(size[:], message...)); err != nil {
					return
				}
			}
		}()
		return ours, nil
	}}
}

func TestDNS(t *testing.T) {
	t.Parallel()
	const address = "https://cloud.example.invalid"
	for _, c := range []struct {
		name     string
		resolver *net.Resolver
		words    []string
	}{
		{"the name does not exist", nameServer(3), []string{"cloud.example.invalid does not exist", "NEXTCLOUD_URL"}},
		{"the name server is broken", nameServer(2), []string{"no name server", "resolv.conf"}},
		{"no name server", &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, errors.New(bodyWords)
		}}, []string{"no name server", "resolv.conf"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := examine(t, settingsFor(t, address), func(d *doctor.Config) { d.Resolver = c.resolver })
			r.only(t, doctor.Failed, "dns", c.words...)
			for _, check := range []string{"connect", "tls", "http", "admin", "scratch-account", "scratch-removal"} {
				r.want(t, doctor.Skipped, check, "the check dns failed")
			}
		})
	}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	examine(t, settingsFor(t, "https://"+porttest.Address(t))).only(t, doctor.Failed, "connect", "nothing listens", "Start")

	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	at := silent.Addr().String()
	examine(t, settingsFor(t, "https://"+at)).only(t, doctor.Failed, "tls", "connection broke", "log")
	examine(t, settingsFor(t, "http://"+at)).only(t, doctor.Failed, "http", "connection broke", "log")
}

func TestSettings(t *testing.T) {
	t.Parallel()
	nowhere := func(c *doctor.Config) { c.Resolver = nameServer(3) }
	readOnly := func(c *doctor.Config) { c.ReadOnly = true }
	f := newFixture(t)
	for _, c := range []struct {
		name           string
		address        string
		admin          string
		password       secret.String
		change         func(*doctor.Config)
		level          doctor.Level
		check          string
		words          []string
		andThenNothing string // a check that is skipped
	}{
		{"no address", "", "admin", "x", nowhere, doctor.Failed, "address", []string{"is not set", "NEXTCLOUD_URL"}, "dns"},
		{"plain http over the internet", "http://cloud.example.invalid", "admin", "x", nowhere,
			doctor.Warning, "address", []string{"plain http", "unencrypted", "https"}, ""},
		{"plain http to a container", "http://nextcloud:8080", "admin", "x", nowhere, doctor.OK, "address", []string{"http://nextcloud:8080"}, ""},
		{"plain http to a private name", "http://cloud.internal", "admin", "x", nowhere, doctor.OK, "address", nil, ""},
		{"a password in the address", strings.Replace(f.settings.URL.String(), "://", "://root:hunter2@", 1) + "?token=hunter2",
			"admin", adminPassword, readOnly, doctor.Warning, "address", []string{"credentials, a query or a fragment"}, ""},
		{"no user", f.settings.URL.String(), "", "x", readOnly, doctor.Failed, "credentials", []string{"ADMIN_USER is not set"}, "admin"},
		{"a colon in the user", f.settings.URL.String(), "a:b", "x", readOnly, doctor.Failed, "credentials", []string{"colon"}, "admin"},
		{"no password", f.settings.URL.String(), "admin", "", readOnly, doctor.Failed, "credentials", []string{"ADMIN_PASSWORD is not set"}, "admin"},
		{"an app password for people", "http://nextcloud", "admin", "aBcD1-23456-zZzZz-00000-qwert", nowhere,
			doctor.Warning, "credentials", []string{"looks like an app password", "real password"}, ""},
		{"an app password for programs", "http://nextcloud", "admin", secret.String(strings.Repeat("aB3", 24)), nowhere,
			doctor.Warning, "credentials", []string{"looks like an app password", "real password"}, ""},
		{"a long password", "http://nextcloud", "admin", secret.String(strings.Repeat("aB3", 24) + "x"), nowhere, doctor.OK, "credentials", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := settingsFor(t, c.address)
			if c.address == "" {
				s.URL = nil
			}
			s.Admin, s.Password = c.admin, c.password
			r := examine(t, s, c.change)
			r.want(t, c.level, c.check, c.words...)
			if c.andThenNothing != "" {
				r.want(t, doctor.Skipped, c.andThenNothing, "the check "+c.check+" failed")
			}
		})
	}
}
