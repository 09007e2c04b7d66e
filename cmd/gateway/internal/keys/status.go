package keys

import (
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keystore"
)

// A Line describes one key.
type Line struct {
	Kind   Kind           `json:"kind"`
	State  keystore.State `json:"state"`
	KeyID  string         `json:"kid"` // of access tokens or, for a data secret, in refresh tokens
	Source string         `json:"source"`
	Since  *time.Time     `json:"since"`             // when the state began, or the last change of a file; null if unknown
	Until  *time.Time     `json:"not_before"`        // when the next key may sign, or a previous key may be removed
	Ready  *bool          `json:"published_for_all"` // for the next key: no verifier can have a key set without it
}

// A Report describes all keys of a gateway.
type Report struct {
	Algorithm string `json:"algorithm"`
	File      string `json:"file"`
	Keys      []Line `json:"keys"` // not nil
	Warning   string `json:"warning,omitempty"`
}

// Status describes the keys in the key file, and the configured keys of each kind.
func Status(s *Settings, set keystore.Set, configured map[Kind][]Configured, now time.Time) (Report, error) {
	report := Report{Algorithm: s.Algorithm, File: s.File.Path(), Keys: []Line{}}
	for _, c := range s.Chains() {
		lines, err := c.lines(set, configured[c.Kind], now)
		if err != nil {
			return report, err
		}
		report.Keys = append(report.Keys, lines...)
	}
	return report, nil
}

// lines describes the keys of the chain.
func (c *Chain) lines(set keystore.Set, configured []Configured, now time.Time) ([]Line, error) {
	if !c.FromSettings(set) {
		return c.fileLines(c.Keys(set), now)
	}
	var lines []Line
	for _, k := range configured {
		line := Line{Kind: c.Kind, State: k.State, KeyID: k.ID, Source: k.Source}
		if !k.Changed.IsZero() {
			line.Since = &k.Changed
			if k.State == keystore.StateNext {
				until := k.Changed.Add(c.Plan.Publish)
				ready := !now.Before(until)
				line.Until, line.Ready = &until, &ready
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// fileLines describes keys of the key file.
func (c *Chain) fileLines(keys keystore.Keys, now time.Time) ([]Line, error) {
	var lines []Line
	for i, s := range keys.States(c.Plan, now) {
		id, err := keyID(c.Kind, keys[i].Text)
		if err != nil {
			return nil, fmt.Errorf("%s: %s %d: %w", c.source.File.Path(), c.Kind, i+1, err)
		}
		line := Line{Kind: c.Kind, State: s.State, KeyID: id, Source: c.source.File.Path(), Since: &s.Since}
		if !s.Until.IsZero() {
			line.Until = &s.Until
		}
		if s.State == keystore.StateNext {
			line.Ready = &s.Ready
		}
		lines = append(lines, line)
	}
	return lines, nil
}
