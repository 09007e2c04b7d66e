package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// A keyLine tells about one key, for people and programs.
type keyLine struct {
	Kind   keyKind    `json:"kind"`
	State  string     `json:"state"` // "next", "signs", "previous", or "accepted" where nobody knows which
	KeyID  string     `json:"kid"`
	Source string     `json:"source"`
	Since  *time.Time `json:"since"`             // of the state; of a file that settings name, its last change
	Until  *time.Time `json:"not_before"`        // when it may sign, or be removed
	Ready  *bool      `json:"published_for_all"` // of the next: nobody can have a key set without it
}

// A keyReport is what `gateway keys status` tells.
type keyReport struct {
	Algorithm string    `json:"algorithm"`
	File      string    `json:"file"`
	Keys      []keyLine `json:"keys"`
	Warning   string    `json:"warning,omitempty"`
}

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
				report.Keys = []keyLine{} // a list in JSON, too
				notice(c, "No keys yet; the first start of the gateway makes them.")
			}
			return writeResult(c, report, func(w io.Writer) { writeKeys(w, report) })
		},
	}
	addOldJSON(c)
	return c
}

func keyStatus(vars *variables, env *config.Env, now time.Time) (keyReport, error) {
	set, err := keyFile(env).Read()
	if err != nil {
		return keyReport{}, err
	}
	report := keyReport{Algorithm: token.LoadAlgorithm(env), File: keyFile(env).Path()}
	for _, data := range []bool{false, true} {
		c, err := chainOf(env, data)
		if err != nil {
			return report, err
		}
		lines, err := c.linesOf(set, now)
		if err != nil {
			return report, err
		}
		report.Keys = append(report.Keys, lines...)
	}
	if len(set.Secrets) == 0 && lacksSecret(env) {
		return report, nil // both will be made
	}
	if err := vars.load(env, now); err != nil {
		return report, err
	}
	report.Warning = sharedSecret(env)
	return report, env.Err()
}

// linesOf tells about the keys of this chain, wherever they come from.
func (c *chain) linesOf(set keystore.Set, now time.Time) ([]keyLine, error) {
	switch keys := c.of(set); {
	case c.fromSettings() && c.kind == signingKey:
		return c.settingLines(now)
	case c.fromSettings():
		return c.secretLines()
	case len(keys) > 0:
		return c.fileLines(keys, now)
	}
	return nil, nil
}

// fileLines tells about the keys of the key file.
func (c *chain) fileLines(keys keystore.Keys, now time.Time) ([]keyLine, error) {
	var lines []keyLine
	step, due := keys.Next(c.plan)
	previous, _, next := keys.Split(now)
	for i, k := range keys {
		id, err := c.id(k.Text)
		if err != nil {
			return nil, fmt.Errorf("%s: %s %d: %w", c.file.Path(), c.kind, i+1, err)
		}
		line := keyLine{Kind: c.kind, State: "signs", KeyID: id, Source: c.file.Path(), Since: &keys[i].Signs}
		switch {
		case i < len(previous):
			line.State, line.Since = "previous", &keys[i+1].Signs
			if step == keystore.Remove {
				line.Until = &due
			}
		case i >= len(keys)-len(next):
			from := k.Signs
			if step == keystore.Sign {
				from = due
			}
			ready := !now.Before(from)
			line.State, line.Since, line.Until, line.Ready = "next", &keys[i].Published, &from, &ready
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// secretLines tells about the secrets in settings, of which nothing but that is
// known.
func (c *chain) secretLines() ([]keyLine, error) {
	var data keyring.Settings
	data.Load(c.env)
	secrets, current, others := data.Secrets, keyring.DataVariable, keyring.DataVariablePrevious
	if c.kind == jwtSecret {
		secrets = append([]secret.String{keyring.Load(c.env)}, keyring.LoadPrevious(c.env)...)
	}
	if c.kind == jwtSecret || !c.apart() {
		current, others = keyring.Variable, keyring.VariablePrevious
	}
	if err := c.env.Err(); err != nil {
		return nil, err
	}
	var lines []keyLine
	for i, s := range secrets {
		id, err := c.id(s)
		if err != nil {
			return nil, err
		}
		line := keyLine{Kind: c.kind, State: "signs", KeyID: id, Source: current}
		if i > 0 {
			line.State, line.Source = "accepted", others
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// settingLines tells about the signing keys that settings name. The last change
// of a file is all that is known of times.
func (c *chain) settingLines(now time.Time) ([]keyLine, error) {
	var public token.PublicSettings
	if err := c.env.Load(&public); err != nil {
		return nil, err
	}
	ids := public.Keys().IDs()
	var lines []keyLine
	for _, place := range []struct{ variable, state string }{
		{token.VariablePrivate, "signs"}, {token.VariableNext, "next"}, {token.VariablePrevious, "previous"},
	} {
		path := c.env.String(place.variable+"_FILE", "")
		inline := c.env.Secret(place.variable) != ""
		if path == "" && !inline || len(ids) == 0 {
			continue
		}
		line := keyLine{Kind: c.kind, State: place.state, KeyID: ids[0], Source: place.variable}
		ids = ids[1:]
		if info, err := os.Stat(path); !inline && err == nil {
			changed := info.ModTime().UTC().Truncate(time.Second)
			line.Source, line.Since = path, &changed
			if place.state == "next" {
				from := changed.Add(c.plan.Publish)
				ready := !now.Before(from)
				line.Until, line.Ready = &from, &ready
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// writeKeys writes the report for people.
func writeKeys(w io.Writer, r keyReport) {
	fmt.Fprintf(w, "algorithm: %s\n", r.Algorithm)
	var rows [][]string
	for _, k := range r.Keys {
		next := ""
		switch {
		case k.Kind != signingKey && k.State == "next":
			next = "signs from " + k.Until.UTC().Format(time.RFC3339) + " on"
		case k.Until == nil:
		case k.State == "previous":
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
		rows = append(rows, []string{string(k.Kind), k.State, k.KeyID, since, cmp.Or(next, "-"), k.Source})
	}
	if len(rows) > 0 {
		writeTable(w, []string{"KEY", "STATE", "KID", "SINCE", "NEXT", "FROM"}, rows)
	}
	if r.Warning != "" {
		fmt.Fprintln(w, "warning: "+r.Warning)
	}
}

// errSettings ends a command that told what to do, and did nothing.
var errSettings = errors.New("nothing changed: these keys come from settings")

// tellSettings says what to set next, where the keys come from settings.
func tellSettings(cmd *cobra.Command, c *chain) error {
	lines, err := c.linesOf(keystore.Set{}, time.Now())
	if err != nil {
		return err
	}
	with := map[string]keyLine{}
	for _, l := range lines {
		with[l.State] = l
	}
	var text []string
	say := func(format string, args ...any) { text = append(text, fmt.Sprintf(format, args...)) }
	say("The %s %s comes from %s, and this command changes no settings.", c.kind, with["signs"].KeyID, with["signs"].Source)
	previous, isPrevious := with["previous"]
	next, isNext := with["next"]
	switch {
	case c.kind != signingKey:
		c.tellSecrets(say, with["accepted"].KeyID)
	case isPrevious:
		say("%s after %s began to sign: take out %s and %s_FILE, which name %s, and restart every process.",
			c.plan.Retain, with["signs"].KeyID, token.VariablePrevious, token.VariablePrevious, previous.KeyID)
	case isNext:
		say("The next key %s is published by %s. It may sign when every process has published it for %s.", next.KeyID, next.Source, c.plan.Publish)
		if next.Until != nil {
			say("Its file was changed at %s: not before %s.", next.Since.Format(time.RFC3339), next.Until.Format(time.RFC3339))
		}
		say("Then set %s_FILE to the private half of %s, %s_FILE to the public half of %s,", token.VariablePrivate, next.KeyID,
			token.VariablePrevious, with["signs"].KeyID)
		say("take out %s and %s_FILE, and restart every process.", token.VariableNext, token.VariableNext)
	default:
		say("To begin a rotation: `gateway keys generate --algorithm %s --out FILE`, set %s_FILE to FILE.pub,", c.algorithm, token.VariableNext)
		say("or %s to what is in it, and restart every process. Then run this command again.", token.VariableNext)
	}
	result := rotation{Message: strings.Join(text, "\n")}
	return errors.Join(writeResult(cmd, result, func(w io.Writer) { result.write(w, c) }), errSettings)
}

// tellSecrets says what to set next to rotate a secret, while other is accepted
// too, or none.
func (c *chain) tellSecrets(say func(format string, args ...any), other string) {
	current, others, was := keyring.Variable, keyring.VariablePrevious, keyring.Variable
	if c.kind == dataSecret {
		current, others = keyring.DataVariable, keyring.DataVariablePrevious
		if c.apart() {
			was = current
		}
	}
	reseal := "run `gateway keys reseal`, "
	if c.kind == jwtSecret && c.apart() {
		reseal = ""
	}
	if other != "" && was == current {
		say("%s is accepted, by %s.", other, others)
		say("If it is the new one: exchange the values of %s and %s, and restart every process.", current, others)
		say("If it is the old one: %s after it was replaced, %stake it out of %s, and restart every process.", c.plan.Retain, reseal, others)
		return
	}
	say("To begin a rotation, where NEW is what `gateway keys generate --algorithm HS256` prints:")
	if was != current {
		say("1. Set %s to what %s is now and %s to NEW, and restart every process: they accept it before any uses it.", current, was, others)
	} else {
		say("1. Set %s to NEW, and restart every process: they accept it before any uses it.", others)
	}
	say("2. Set %s to NEW and %s to what %s is now, and restart every process.", current, others, was)
	say("3. After %s %stake %s out, and restart every process.", c.plan.Retain, reseal, others)
	if c.kind == jwtSecret {
		say("Whoever else verifies access tokens with the secret must accept NEW before step 2.")
	}
}
