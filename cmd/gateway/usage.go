package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// makeStrict makes all commands below root reject unknown commands, arguments and
// flags. By default, cobra prints help and succeeds.
func makeStrict(root *cobra.Command) {
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%v; it has %s", err, strings.Join(flags(c), ", "))
	})
	root.SetHelpCommand(helpCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	extendHelp(root)
	rejectUnknown(root)
}

// rejectUnknown makes c and all commands below it reject arguments that they do not
// take.
func rejectUnknown(c *cobra.Command) {
	if c.HasSubCommands() {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error { return unknownCommand(c, args) }
		for _, sub := range c.Commands() {
			rejectUnknown(sub)
		}
		return
	}
	if c.IsAdditionalHelpTopicCommand() {
		return
	}
	if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
		c.ValidArgsFunction = cobra.NoFileCompletions
	}
	accept := c.Args
	c.Args = func(c *cobra.Command, args []string) error {
		err := accept(c, args)
		if _, isUsage := errors.AsType[usageError](err); err == nil || isUsage {
			return err
		}
		// Use is the name and one word for each argument.
		if takes := len(strings.Fields(c.Use)) - 1; len(args) > takes {
			return usagef("unexpected argument %q; usage: %s", args[takes], c.UseLine())
		}
		return usagef("an argument is missing; usage: %s", c.UseLine())
	}
}

// unknownCommand returns the error of a group of commands that is called without one
// of its commands.
func unknownCommand(group *cobra.Command, args []string) error {
	var names []string
	for _, sub := range group.Commands() {
		if sub.IsAvailableCommand() || sub.Name() == "help" {
			names = append(names, sub.Name())
		}
	}
	what := "no command"
	if len(args) > 0 {
		what = fmt.Sprintf("unknown command %q", args[0])
	}
	return usagef("%s; it has %s", what, strings.Join(names, ", "))
}

// flags returns the flags of the command as users write them, such as --output.
func flags(c *cobra.Command) []string {
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	return names
}

// helpCommand returns a help command that rejects unknown names.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [command]",
		Short:   "Print help for a command or topic",
		Long:    `Print help for a command, or for one of the topics at the end of "gateway help".`,
		Example: "  gateway help migrate up\n  gateway help exit-codes",
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			about := c.Root()
			for _, name := range args {
				_, rest, err := about.Find([]string{name})
				if sub, _, _ := about.Find([]string{name}); err == nil && len(rest) == 0 && sub != about {
					about = sub
					continue
				}
				return fmt.Errorf("%s: %w", about.CommandPath(), unknownCommand(about, []string{name}))
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		},
	}
}
