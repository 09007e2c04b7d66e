package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/voiceassist/gateway/shared/ratelimit"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const (
	module     = "github.com/voiceassist/gateway/"
	bcryptCost = "10" // that of the peers
)

// A rig builds and starts what is measured. Its processes end with its context.
type rig struct {
	dir       string // programs, certificate and data
	cert, key string // files
	tls       *tls.Config
	stops     []func()

	dsn        string // of PostgreSQL; empty until something needs it
	postmaster int    // its first process
	databases  int
}

// A target is a running server.
type target struct {
	engine   string
	address  string
	tls      *tls.Config
	pid      int
	database int     // the first process of PostgreSQL, or 0
	idle     float64 // MB resident after the start
	clients  []*client

	process *exec.Cmd
	command func(args ...string) *exec.Cmd // of the gateway's program, with its settings
}

// end lets the server finish its work, and waits for it.
func (t *target) end() error {
	return errors.Join(t.process.Process.Signal(syscall.SIGTERM), t.process.Wait())
}

// newRig returns a rig that keeps its files in dir.
func newRig(dir string) (*rig, error) {
	r := &rig{dir: dir, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	pool, err := writeCertificate(r.cert, r.key)
	if err != nil {
		return nil, err
	}
	r.tls = &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS13}
	return r, nil
}

// program returns the path of the program in a package, which it compiles once.
func (r *rig) program(ctx context.Context, pkg string) (file string, err error) {
	file = filepath.Join(r.dir, path.Base(pkg))
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", file, module+pkg).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return file, nil
}

// close stops all processes.
func (r *rig) close() {
	for i := range r.stops {
		r.stops[len(r.stops)-1-i]()
	}
}

// startFloor starts the floor. Only statements need a database.
func (r *rig) startFloor(ctx context.Context, statements bool, clients int) (*target, error) {
	program, err := r.program(ctx, "bench/floor")
	if err != nil {
		return nil, err
	}
	t := &target{engine: floor, tls: r.tls}
	args := []string{"-cert", r.cert, "-key", r.key, "-cost", bcryptCost}
	if statements {
		dsn, err := r.newDatabase(ctx)
		if err != nil {
			return nil, err
		}
		args, t.database = append(args, "-database", dsn), r.postmaster
	}
	for i := range clients {
		t.clients = append(t.clients, &client{number: i})
	}
	return t, r.serve(t, exec.CommandContext(ctx, program, args...))
}

// startGateway starts a gateway with an empty database, and signs clients up. extra
// are further settings.
func (r *rig) startGateway(ctx context.Context, engine string, nextcloud bool, clients int, extra ...string) (*target, error) {
	program, err := r.program(ctx, "cmd/gateway")
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(r.dir, "data-")
	if err != nil {
		return nil, err
	}
	settings := []string{
		"DATA_DIR=" + data, "HTTP_ADDR=127.0.0.1:0", "HTTPS_ADDR=127.0.0.1:0", "SSL_CERT_FILE=" + r.cert, "SSL_KEY_FILE=" + r.key,
		"BCRYPT_COST=" + bcryptCost, "ACCESS_TOKEN_EXPIRE_MINUTES=1440", "SESSIONS_PER_USER=1000000",
	}
	for name, off := range ratelimit.Off() {
		settings = append(settings, name+"="+off)
	}
	t := &target{engine: engine, tls: r.tls}
	t.command = func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Dir, cmd.Env = data, slices.Concat(settings, extra)
		return cmd
	}
	if engine == postgres {
		dsn, err := r.newDatabase(ctx)
		if err != nil {
			return nil, err
		}
		settings, t.database = append(settings, "DATABASE_URL="+dsn), r.postmaster
		if out, err := t.command("migrate", "up").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("migrate: %w\n%s", err, out)
		}
	}
	if nextcloud {
		cloud, err := r.startDevcloud(ctx)
		if err != nil {
			return nil, err
		}
		settings = append(settings, cloud...)
	}
	if err := r.serve(t, t.command("serve")); err != nil {
		return nil, err
	}
	return t, t.signUp(ctx, clients, nextcloud)
}

// startDevcloud starts a Nextcloud and returns the gateway's settings for it.
func (r *rig) startDevcloud(ctx context.Context) (settings []string, err error) {
	program, err := r.program(ctx, "cmd/devcloud")
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = r.dir                       // ignore the project's .env
	cmd.Env = []string{"TMPDIR=" + r.dir} // it is killed, so it does not remove the files of clients
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.start(cmd); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(out)
	for len(settings) < 3 && lines.Scan() {
		settings = append(settings, lines.Text())
	}
	if len(settings) < 3 {
		return nil, errors.New("devcloud ended before it printed its settings")
	}
	return settings, nil
}

var greeting = regexp.MustCompile(`https on ([^\s,]+)`)

// serve starts the target and waits until it listens. Its log goes to /dev/null.
func (r *rig) serve(t *target, cmd *exec.Cmd) error {
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := r.start(cmd); err != nil {
		return err
	}
	t.process, t.pid = cmd, cmd.Process.Pid
	var said strings.Builder
	for lines := bufio.NewScanner(stderr); t.address == ""; {
		if !lines.Scan() {
			return fmt.Errorf("%s did not start:\n%s", cmd, &said)
		}
		fmt.Fprintln(&said, lines.Text())
		if found := greeting.FindStringSubmatch(lines.Text()); found != nil {
			t.address = found[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }() // until it ends
	t.idle, err = residentMB(t.pid)
	return err
}

// start starts a process that the rig stops.
func (r *rig) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	r.stops = append(r.stops, func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return nil
}

// newDatabase creates an empty PostgreSQL database, and the server for the first one.
func (r *rig) newDatabase(ctx context.Context) (dsn string, err error) {
	if r.dsn == "" {
		dsn, stop, err := storetest.StartDurable()
		if err != nil {
			return "", err
		}
		r.dsn, r.stops = dsn, append(r.stops, stop)
	}
	conn, err := pgx.Connect(ctx, r.dsn)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if r.postmaster, err = parent(int(conn.PgConn().PID())); err != nil {
		return "", err
	}
	r.databases++
	name := fmt.Sprintf("bench_%d", r.databases)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	u, err := url.Parse(r.dsn)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// writeCertificate writes a self-signed certificate for localhost, and returns a pool
// that trusts it.
func writeCertificate(certFile, keyFile string) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: now, NotAfter: now.Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return pool, errors.Join(os.WriteFile(certFile, certPEM, 0o600), os.WriteFile(keyFile, keyPEM, 0o600))
}
