// Command gateway is the whole VoiceAssist gateway in one binary: the server
// over HTTPS, the migrations of its schema, and what an operator does by hand.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command and returns the exit code: 0 when it did its work, 1
// when not, 2 when the command line was not understood. What went wrong stands on
// stderr, one line for each mistake.
func run(
	ctx context.Context, args []string, lookup func(string) (string, bool), stdout, stderr io.Writer,
) int {
	stderr = newScreen(stderr)
	gateway := root(&variables{process: lookup}, stdout, stderr)
	gateway.SetArgs(args)
	c, err := gateway.ExecuteContextC(ctx)
	if _, usage := errors.AsType[usageError](err); usage {
		fmt.Fprintf(stderr, "%s: %v\n", c.CommandPath(), err)
		return exitUsage
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// root returns the tree of all commands.
func root(vars *variables, stdout, stderr io.Writer) *cobra.Command {
	c := &cobra.Command{
		Use:           "gateway",
		Short:         "The VoiceAssist gateway: accounts, conversation sessions and a Nextcloud account for everybody",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version.String(),
	}
	c.AddCommand(serveCommand(vars), migrateCommand(vars), userCommand(vars), nextcloudCommand(vars), auditCommand(vars), keysCommand(vars),
		healthcheckCommand(vars), versionCommand())
	c.SetOut(stdout)
	c.SetErr(stderr)
	addOutput(c)
	strict(c)
	return c
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			result := struct {
				Version string `json:"version"`
			}{version.String()}
			return writeResult(c, result, func(w io.Writer) { fmt.Fprintln(w, result.Version) })
		},
	}
}
