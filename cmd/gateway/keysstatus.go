package main

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
)

func keysStatusCommand(vars *variables) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "Show which keys are in use, since when, and what is due next",
		Long: `Show which keys are in use, where they come from, since when, and what is due next.
No secret is printed. The command needs no database.`,
		Example:     "  gateway keys status\n  gateway keys status --output json",
		Annotations: next(`Take the step that is due: gateway keys rotate.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			env, err := vars.env()
			if err != nil {
				return err
			}
			report, err := keyStatus(vars, env, time.Now())
			if err != nil {
				return err
			}
			if len(report.Keys) == 0 {
				notice(c, "No keys yet; the first start of the gateway makes them.")
			}
			return writeResult(c, report, func(w io.Writer) { writeKeys(w, report) })
		},
	}
	addOldJSON(c)
	return c
}

// keyStatus describes the keys, wherever they come from.
func keyStatus(vars *variables, env *config.Env, now time.Time) (keys.Report, error) {
	var s keys.Settings
	if err := env.Load(&s); err != nil {
		return keys.Report{}, err
	}
	set, err := s.File.Read()
	if err != nil {
		return keys.Report{}, err
	}
	configured := map[keys.Kind][]keys.Configured{}
	for _, c := range s.Chains() {
		if c.FromSettings(set) {
			configured[c.Kind] = c.Configured(env)
		}
	}
	if err := env.Err(); err != nil {
		return keys.Report{}, err
	}
	report, err := keys.Status(&s, set, configured, now)
	if err != nil || len(set.Secrets) == 0 && s.LacksSecret() { // the first start will create them
		return report, err
	}
	if err := vars.load(env, now); err != nil {
		return report, err
	}
	report.Warning = sharedSecret(env)
	return report, env.Err()
}

// writeKeys writes the report as text.
func writeKeys(w io.Writer, r keys.Report) {
	fmt.Fprintf(w, "algorithm: %s\n", r.Algorithm)
	var rows [][]string
	for _, k := range r.Keys {
		next := ""
		switch {
		case k.Kind != keys.Signing && k.State == keystore.StateNext:
			next = "signs from " + k.Until.UTC().Format(time.RFC3339) + " on"
		case k.Until == nil:
		case k.State == keystore.StatePrevious:
			next = "is removed from " + k.Until.UTC().Format(time.RFC3339) + " on"
		case *k.Ready:
			next = "verifiers have it: it may sign"
		default:
			next = "may sign from " + k.Until.UTC().Format(time.RFC3339) + " on"
		}
		since := "unknown"
		if k.Since != nil {
			since = k.Since.UTC().Format(time.RFC3339)
		}
		rows = append(rows, []string{string(k.Kind), string(k.State), k.KeyID, since, cmp.Or(next, "-"), k.Source})
	}
	if len(rows) > 0 {
		writeTable(w, []string{"KEY", "STATE", "KID", "SINCE", "NEXT", "FROM"}, rows)
	}
	if r.Warning != "" {
		fmt.Fprintln(w, "warning: "+r.Warning)
	}
}
