package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/doctor"
	"github.com/voiceassist/gateway/shared/provision"
)

func doctorCommand(vars *variables) *cobra.Command {
	var readOnly bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the configured Nextcloud and tell how to put right what is wrong",
		Long: "Examine the configured Nextcloud, from its address to an account that is made, used and removed again,\n" +
			"and tell how to put right what is wrong. The administrator's password is tried once. The exit code is 1\n" +
			"when something failed; warnings do not count.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			env, err := vars.env()
			if err != nil {
				return err
			}
			config := doctor.Config{Settings: provision.ReadAdmin(env), ReadOnly: readOnly}
			if err := env.Err(); err != nil {
				return err
			}
			p := printer{out: c.OutOrStdout()}
			if !asJSON(c) {
				config.Tell = p.tell
			}
			all := doctor.Examine(c.Context(), config)
			p.flush()
			if asJSON(c) {
				if err := writeFindings(c.OutOrStdout(), all); err != nil {
					return err
				}
			}
			if n := doctor.Failures(all); n > 0 {
				return fmt.Errorf("the Nextcloud cannot be used as it is; failures: %d", n)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&readOnly, "read-only", false, "change nothing: make no app password and no account")
	addOldJSON(c)
	return c
}

// A printer writes findings for people as they come: a line each, the cure
// below it. What is skipped for one reason shares a line.
type printer struct {
	out     io.Writer
	skipped string // checks, separated by commas
	why     string
}

func (p *printer) tell(f doctor.Finding) {
	if f.Level == doctor.Skipped {
		if p.why != f.Text {
			p.flush()
			p.why = f.Text
		} else {
			p.skipped += ", "
		}
		p.skipped += f.Check
		return
	}
	p.flush()
	p.line(f.Level, f.Check, f.Text)
	if f.Cure != "" {
		fmt.Fprintf(p.out, "         %s\n", f.Cure)
	}
}

// flush writes what was skipped so far.
func (p *printer) flush() {
	if p.skipped != "" {
		p.line(doctor.Skipped, p.skipped, p.why)
	}
	p.skipped, p.why = "", ""
}

func (p *printer) line(level doctor.Level, check, text string) {
	fmt.Fprintf(p.out, "%-8s %s: %s\n", level, check, text)
}

// writeFindings writes findings for machines.
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
			f.Check, string(f.Level), f.Text, f.Cure, float64(f.Took.Microseconds()) / 1000,
		})
	}
	return writeJSON(out, doc)
}
