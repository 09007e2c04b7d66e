// Command gateway is the VoiceAssist gateway in one binary: the HTTPS server, the
// migrations of its database, and the commands of operators.
//
// Each command has a file that parses its arguments, calls the code that does the
// work, and prints the result. Rules are in the packages below internal and in
// shared. Begin with root, the tree of all commands.
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

	"github.com/voiceassist/gateway/shared/foundation/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command and returns the exit code. It writes errors to stderr, one
// line for each mistake.
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
		if len(mistakes(err)) > 0 {
			fmt.Fprintln(stderr, "Run `gateway config check` to see every setting and where it comes from.")
		}
		if _, unchecked := errors.AsType[checkError](err); unchecked {
			return exitNotChecked
		}
		return exitFailed
	}
	return 0
}

// root returns the tree of all commands.
func root(vars *variables, stdout, stderr io.Writer) *cobra.Command {
	c := &cobra.Command{
		Use:   "gateway",
		Short: "The VoiceAssist gateway: accounts, sessions, and files in Nextcloud",
		Long: `The VoiceAssist gateway in one binary: the server, its database migrations, and
the commands for operators.

Settings come from the environment, then from .env in the working directory.
Without any, "gateway serve" starts with an embedded database in .data.`,
		Example: `  gateway serve
  echo 'correct horse battery staple' | gateway user create --admin root@example.org
  gateway help exit-codes`,
		Annotations:   next(`Start with "gateway serve", then open https://localhost:8443/docs.`),
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version.String(),
	}
	c.AddCommand(serveCommand(vars), migrateCommand(vars), userCommand(vars), nextcloudCommand(vars), auditCommand(vars), mailCommand(vars), keysCommand(vars), configCommand(vars),
		healthcheckCommand(vars), versionCommand(), backupCommand(vars), restoreCommand(vars))
	c.SetOut(stdout)
	c.SetErr(stderr)
	addOutput(c)
	makeStrict(c)
	return c
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long: `Print the version of this binary, with the commit that it was built from. The
server logs and shows the same version.`,
		Example:     "  gateway version\n  gateway version --output json",
		Annotations: next(`Compare it with the version in the title of https://localhost:8443/docs.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			result := struct {
				Version string `json:"version"`
			}{version.String()}
			return writeResult(c, result, func(w io.Writer) { fmt.Fprintln(w, result.Version) })
		},
	}
}
