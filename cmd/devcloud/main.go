// Command devcloud runs a Nextcloud for development. It listens on 127.0.0.1,
// keeps accounts in memory, and loses everything when it stops.
//
//	devcloud                           print the gateway's settings for it, until Ctrl-C
//	devcloud COMMAND [ARGUMENT ...]    run a command with these settings, and stop with it
//	devcloud --listen ADDRESS          serve there, in place of the image in docker-compose.yml
//
// `make run` starts the gateway with it. The gateway itself does not contain it.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/voiceassist/gateway/shared/config/dotenv"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

const (
	admin       = "admin"
	variableURL = "NEXTCLOUD_URL"
)

// signals end devcloud, or are passed on to the command.
var signals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

func main() {
	code, err := run(os.Args[1:], os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "devcloud:", err)
	}
	os.Exit(code)
}

// run serves until the command ends, or a signal arrives without one. It returns
// the exit code: that of the command where there is one.
func run(args []string, stdout, stderr io.Writer) (code int, err error) {
	switch {
	case len(args) == 2 && args[0] == "--listen":
		if err := serveStack(args[1], stdout); err != nil {
			return 1, err
		}
		return 0, nil
	case len(args) > 0 && strings.HasPrefix(args[0], "-"):
		return 2, errors.New("usage: devcloud [--listen ADDRESS | COMMAND [ARGUMENT ...]]")
	case len(args) > 0 && configured():
		return 1, errors.New(variableURL + " is set; a gateway has one Nextcloud")
	}
	settings, stop, err := start()
	if err != nil {
		return 1, err
	}
	defer stop()
	fmt.Fprintf(stderr, "FOR DEVELOPMENT ONLY: a Nextcloud in memory runs at %s; it loses everything when it stops\n",
		strings.TrimPrefix(settings[0], variableURL+"="))
	if len(args) > 0 {
		return runCommand(args, settings)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), signals...)
	defer cancel()
	fmt.Fprintln(stdout, strings.Join(settings, "\n"))
	<-ctx.Done()
	return 0, nil
}

// configured reports whether the environment or .env, or the file that ENV_FILE names
// instead, names another Nextcloud, with which the command's accounts may be linked.
func configured() bool {
	if os.Getenv(variableURL) != "" {
		return true
	}
	file, err := dotenv.Read(cmp.Or(os.Getenv("ENV_FILE"), ".env"), os.LookupEnv)
	return err == nil && file.Vars[variableURL] != "" // the command reports what is wrong with the file
}

// start serves a Nextcloud on a free port and returns the settings for it, the
// address first.
func start() (settings []string, stop func(), err error) {
	password := keyring.Generate()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminUser: admin, AdminPassword: password})
	server := newServer(cloud)
	go server.Serve(listener) // until Close
	stop = func() {
		server.Close()
		cloud.Close() // removes temporary files
	}
	return []string{
		variableURL + "=http://" + listener.Addr().String(),
		"NEXTCLOUD_ADMIN_USER=" + admin,
		"NEXTCLOUD_ADMIN_PASSWORD=" + password.Reveal(),
	}, stop, nil
}

func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: time.Second,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
}

// runCommand runs a command with the settings in its environment, passes signals on
// to it, and returns its exit code.
func runCommand(args, settings []string) (code int, err error) {
	arrived := make(chan os.Signal, len(signals))
	signal.Notify(arrived, signals...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), settings...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-arrived:
			_ = cmd.Process.Signal(s) // it may have ended
		case err := <-ended:
			if _, exited := errors.AsType[*exec.ExitError](err); exited {
				err = nil // the command has reported its failure
			}
			return exitCode(cmd.ProcessState), err
		}
	}
}

// exitCode returns the exit code of a process as a shell does: 128 and the
// signal's number where a signal ended it.
func exitCode(state *os.ProcessState) int {
	if s, ok := state.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return state.ExitCode()
}
