package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/doctor"
)

func doctorCommand(vars *variables) *cobra.Command {
	var readOnly bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check the configured Nextcloud and say how to fix what is wrong",
		Long: `Check the configured Nextcloud, from its address to an account that the command
creates, uses and removes again, and say how to fix what is wrong. The
administrator's password is tried once. The command needs only the NEXTCLOUD_
settings. It exits with 1 where a check failed, whatever the warnings, and with 3
where the settings are invalid.`,
		Example: `  gateway nextcloud doctor
  gateway nextcloud doctor --read-only --output json`,
		Annotations: next(`If nothing failed: gateway serve, or gateway nextcloud reconcile.`),
		Args:        cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			env, err := vars.env()
			if err != nil {
				return notChecked(err)
			}
			config := doctor.Config{ReadOnly: readOnly}
			config.Settings.LoadPartial(env)
			if err := env.Err(); err != nil {
				return notChecked(err)
			}
			p := printer{out: c.OutOrStdout()}
			if !asJSON(c) {
				config.Report = p.print
			}
			all := doctor.Examine(c.Context(), config)
			p.flush()
			if asJSON(c) {
				if err := writeFindings(c.OutOrStdout(), all); err != nil {
					return err
				}
			}
			if n := doctor.Failures(all); n > 0 {
				return fmt.Errorf("the gateway cannot use this Nextcloud; failures: %d", n)
			}
			hint(c, "gateway serve, or gateway nextcloud reconcile")
			return nil
		},
	}
	c.Flags().BoolVar(&readOnly, "read-only", false, "change nothing: create no app password and no account")
	addOldJSON(c)
	return c
}

// A printer writes findings for people as they come: one line each, with the remedy
// below it. Checks that are skipped for the same reason share a line.
type printer struct {
	out     io.Writer
	skipped string // checks, separated by commas
	reason  string // why they are skipped
}

// print writes the finding, or postpones it if its check was skipped.
func (p *printer) print(f doctor.Finding) {
	if f.Level == doctor.Skipped {
		if p.reason != f.Text {
			p.flush()
			p.reason = f.Text
		} else {
			p.skipped += ", "
		}
		p.skipped += f.Check
		return
	}
	p.flush()
	p.line(f.Level, f.Check, f.Text)
	if f.Fix != "" {
		fmt.Fprintf(p.out, "         %s\n", f.Fix)
	}
}

// flush writes the line of skipped checks, if there are any.
func (p *printer) flush() {
	if p.skipped != "" {
		p.line(doctor.Skipped, p.skipped, p.reason)
	}
	p.skipped, p.reason = "", ""
}

func (p *printer) line(level doctor.Level, check, text string) {
	fmt.Fprintf(p.out, "%-8s %s: %s\n", level, check, text)
}

// writeFindings writes findings as one JSON document.
func writeFindings(out io.Writer, all []doctor.Finding) error {
	type finding struct {
		Check string  `json:"check"`
		Level string  `json:"level"`
		Text  string  `json:"text"`
		Cure  string  `json:"cure,omitempty"`
		Took  float64 `json:"took_ms"`
	}
	doc := struct {
		Failed   int       `json:"failed"`
		Findings []finding `json:"findings"`
	}{Failed: doctor.Failures(all)}
	for _, f := range all {
		doc.Findings = append(doc.Findings, finding{
			f.Check, string(f.Level), f.Text, f.Fix, float64(f.Took.Microseconds()) / 1000,
		})
	}
	return writeJSON(out, doc)
}
