//go:build unix

package storetest

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = time.Minute // far above the second it takes, for busy machines
	startTries   = 5           // ports; another process may take one before the server does
)

var errPortTaken = errors.New("the port was taken")

// watch runs the server "$@" and removes the directory $0 afterwards. It stops the
// server at the end of its standard input, which the kernel closes when the test
// process ends for any reason. The first signal stops PostgreSQL at once, the
// second PgBouncer.
const watch = `
"$@" &
server=$!
exec 3<&0
{ cat <&3; kill -QUIT $server; kill -TERM $server; } >/dev/null 2>&1 &
wait $server
rm -rf "$0"
`

// startServer starts the server of tests, which trades durability for speed.
func startServer() (*server, error) {
	return serveNew(append(fast(), "synchronous_commit=off")...)
}

// StartDurable starts another server, for measurements outside of tests, with
// PostgreSQL's default settings: what it has committed survives a crash. stop ends
// it and removes its files; so does the end of the process.
func StartDurable() (dsn string, stop func(), err error) {
	s, err := serveNew()
	if err != nil {
		return "", nil, err
	}
	return s.dsn, s.stop, nil
}

// serveNew creates a cluster in a temporary directory and serves it.
func serveNew(settings ...string) (*server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	who, err := serverUser()
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		s, err := who.serve(bin, settings)
		if err == nil || try == startTries || !errors.Is(err, errPortTaken) {
			return s, err
		}
	}
}

// An identity is the user of the server's processes; nil is the present one.
type identity struct{ *syscall.Credential }

// serverUser returns the user to run the server, because PostgreSQL refuses to run
// as root.
func serverUser() (identity, error) {
	if os.Geteuid() != 0 {
		return identity{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return identity{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
		}
	}
	return identity{}, errors.New(`cannot run as root, and there is no user "postgres" or "nobody" to run as`)
}

// own makes the identity the owner of the files.
func (who identity) own(paths ...string) error {
	if who.Credential == nil {
		return nil
	}
	for _, path := range paths {
		if err := os.Chown(path, int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}
	return nil
}

// command returns a command in dir and in a new session, so that an interrupt at
// the terminal reaches the tests but not the server.
func (who identity) command(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "PG") })
	cmd.Env = append(cmd.Env, "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: who.Credential}
	return cmd
}

// serve creates a cluster in a temporary directory and serves it on a free port.
func (who identity) serve(bin string, settings []string) (*server, error) {
	dir, err := os.MkdirTemp("", "voiceassist-postgres-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	dsn, err := who.initialize(bin, dir, net.JoinHostPort("127.0.0.1", port))
	if err == nil {
		var stop func()
		if stop, err = who.startPostgres(bin, dir, dir, dsn.Port(), settings...); err == nil {
			return &server{dsn: dsn.String(), stop: stop}, nil
		}
	}
	os.RemoveAll(dir)
	return nil, err
}

// initialize makes a cluster in dir, for the address, and returns its URL.
func (who identity) initialize(bin, dir, address string) (*url.URL, error) {
	password, file := rand.Text(), filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		return nil, err
	}
	if err := who.own(dir, file); err != nil {
		return nil, err
	}
	out, err := who.command(dir, filepath.Join(bin, "initdb"), "--pgdata="+dataOf(dir),
		"--username=postgres", "--pwfile="+file, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-sync").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return &url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", password),
		Host: address, Path: "/postgres", RawQuery: "sslmode=disable",
	}, nil
}

func dataOf(dir string) string { return filepath.Join(dir, "data") }

// fast returns the settings of a server for tests: it does not wait for the disk, and
// has no background work.
func fast() []string {
	return []string{
		"fsync=off", "full_page_writes=off", "shared_buffers=64MB", "autovacuum=off",
		"wal_level=minimal", "max_wal_senders=0",
	}
}

// startPostgres serves the cluster in dir; see start for its directory.
func (who identity) startPostgres(bin, dir, remove, port string, settings ...string) (stop func(), err error) {
	args := []string{"-D", dataOf(dir)}
	for _, s := range append(settings,
		"listen_addresses=127.0.0.1", "port="+port, "unix_socket_directories=", "max_connections=200", "logging_collector=off") {
		args = append(args, "-c", s)
	}
	return who.start(remove, "database system is ready to accept", filepath.Join(bin, "postgres"), args...)
}

// start runs the server and returns when its log contains ready: it then accepts
// connections. stop returns when the server has ended and dir is removed.
func (who identity) start(dir, ready, name string, args ...string) (stop func(), err error) {
	cmd := who.command(dir, "/bin/sh", append([]string{"-c", watch, dir, name}, args...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		in.Close()
		io.Copy(io.Discard, log)
		cmd.Wait()
	}
	late := time.AfterFunc(startTimeout, func() { in.Close() })
	defer late.Stop()
	if err := awaitReady(log, ready); err != nil {
		stop()
		return nil, err
	}
	go io.Copy(io.Discard, log)
	return stop, nil
}

// awaitReady reads the server's log until it is ready.
func awaitReady(log io.Reader, ready string) error {
	var said []string
	for lines := bufio.NewScanner(log); lines.Scan(); {
		line := lines.Text()
		if strings.Contains(line, ready) {
			return nil
		}
		if strings.Contains(line, "could not bind") || strings.Contains(line, "Address already in use") {
			return errPortTaken
		}
		said = append(said, line)
	}
	return fmt.Errorf("the server ended before it was ready: %s", strings.Join(said, " | "))
}

// freePort returns a TCP port that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
