package test_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/ratelimit"
)

// answerTime limits every request of the tests. It is long because all tests share two
// cores.
const answerTime = time.Minute

// A process is a running gateway binary.
type process struct {
	cmd    *exec.Cmd
	https  string // its base URL
	plain  string // the base URL for plain HTTP
	client *http.Client
	stdout *buffer
	stderr *buffer
	exited chan struct{}
}

// gateway returns the path of the built binary.
func gateway(tb testing.TB) string {
	tb.Helper()
	return faastest.Program(tb, "../cmd/gateway")
}

// start starts `gateway serve` on free ports with the settings in env and its data in dir,
// and waits until it listens. It is killed when tb ends. Requests are not rate limited
// unless env limits them.
func start(tb testing.TB, dir string, args []string, env ...string) *process {
	tb.Helper()
	return startProgram(tb, gateway(tb), dir, args, env...)
}

// startWithDevcloud is [start] with a Nextcloud for development, as in make run.
func startWithDevcloud(tb testing.TB, dir string, env ...string) *process {
	tb.Helper()
	cmd := devcloudCommand(tb)
	cmd.Dir = dir
	cmd.Env = append(serveEnv(dir, env...), "TMPDIR="+dir) // killed programs leave the files of users there
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}  // killed together
	return launch(tb, cmd, filepath.Join(dir, "tls", "gateway.pem"))
}

// devcloudCommand returns the command that make run uses, with the built binaries.
func devcloudCommand(tb testing.TB) *exec.Cmd {
	tb.Helper()
	return exec.Command(faastest.Program(tb, "../cmd/devcloud"), gateway(tb), "serve", "--recheck-nextcloud")
}

// startProgram is [start] for another build of the gateway.
func startProgram(tb testing.TB, program, dir string, args []string, env ...string) *process {
	tb.Helper()
	cmd := exec.Command(program, append([]string{"serve"}, args...)...)
	cmd.Dir = dir // ignore the project's .env
	cmd.Env = serveEnv(dir, env...)
	return launch(tb, cmd, filepath.Join(dir, "tls", "gateway.pem"))
}

// serveEnv returns the environment of a gateway that keeps its data in dir and listens on
// free ports.
func serveEnv(dir string, env ...string) []string {
	return append(unlimited(), append([]string{
		"DATA_DIR=" + dir, "HTTP_ADDR=127.0.0.1:0", "HTTPS_ADDR=127.0.0.1:0", "BCRYPT_COST=10",
		"CAROOT=" + filepath.Join(dir, "no-mkcert"), "ALLOWED_ORIGINS=https://app.example.org",
	}, env...)...)
}

// launch runs a gateway that creates its own certificate in the file, and waits until it
// listens.
func launch(tb testing.TB, cmd *exec.Cmd, certificate string) *process {
	tb.Helper()
	p := &process{cmd: cmd, stdout: &buffer{}, stderr: &buffer{}, exited: make(chan struct{})}
	p.cmd.Stdout = p.stdout
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	listening := make(chan []string, 1)
	go func() {
		defer close(p.exited)
		greeting := regexp.MustCompile(`https on (\S+), http on (\S+)`)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			p.stderr.Write(append(lines.Bytes(), '\n'))
			if found := greeting.FindStringSubmatch(lines.Text()); found != nil {
				listening <- found
			}
		}
		p.cmd.Wait()
	}()
	tb.Cleanup(func() {
		p.kill()
		if strings.Contains(p.stderr.String(), "DATA RACE") {
			tb.Error("the gateway has a data race")
		}
		if tb.Failed() {
			tb.Logf("the gateway printed:\n%s\n%s", p.stderr, p.stdout)
		}
	})
	select {
	case found := <-listening:
		p.https, p.plain = "https://"+found[1], "http://"+found[2]
	case <-p.exited:
		tb.Fatalf("the gateway did not start:\n%s\n%s", p.stderr, p.stdout)
	}
	p.client = client(tb, certificate)
	return p
}

// unlimited returns settings that effectively turn rate limits off.
func unlimited() []string {
	var env []string
	for name, value := range ratelimit.Off() {
		env = append(env, name+"="+value)
	}
	return env
}

// usualLimits returns settings that undo unlimited, for tests that send as few requests as
// a person would.
func usualLimits() []string {
	var env []string
	for name := range ratelimit.Off() {
		env = append(env, name+"=")
	}
	return env
}

// client returns a client that trusts the certificate in the file and nothing
// else, and follows no redirects.
func client(tb testing.TB, file string) *http.Client {
	tb.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
	}
	tb.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport: transport, Timeout: answerTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// public is the address of the gateway on the network, as the tests see it. The
// certificate names it.
const public = "https://voiceassist.local"

// target returns the gateway at its [public] address.
func (p *process) target() target {
	transport := p.client.Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, strings.TrimPrefix(p.https, "https://"))
	}
	c := *p.client
	c.Transport = transport
	return target{client: &c, url: public}
}

// kill ends the process with SIGKILL, and its process group if it leads one.
func (p *process) kill() {
	if a := p.cmd.SysProcAttr; a != nil && a.Setpgid {
		syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	p.cmd.Process.Kill()
	<-p.exited
}

// stop asks the process to exit and returns its exit code.
func (p *process) stop(tb testing.TB) int {
	tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Fatal(err)
	}
	<-p.exited
	return p.cmd.ProcessState.ExitCode()
}

// command runs another command of the binary on the same data and returns its output and
// exit code.
func command(tb testing.TB, dir, stdin string, env []string, args ...string) (output string, code int) {
	tb.Helper()
	cmd := exec.Command(gateway(tb), args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"DATA_DIR=" + dir, "BCRYPT_COST=10"}, env...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		tb.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// buffer is a bytes.Buffer that is safe for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
