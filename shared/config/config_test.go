package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
)

func TestEnv_ReportsEachMistakeOnItsOwnLine(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{
		"COST": "99", "SYNC": "perhaps", "ALG": "none",
		"URL": "ftp://user:hunter2@host/x", "BROKEN": "http://hunter2\x7f",
	})
	env.Int("COST", 12, 10, 15)
	env.Bool("SYNC", true)
	env.OneOf("ALG", "HS256", "EdDSA")
	env.URL("URL", "http", "https")
	env.URL("BROKEN", "http", "https")
	env.RefuseSecret("KEY", "has 4 bytes", "32 bytes or more")

	want := []string{
		`COST is "99"; it must be a whole number from 10 to 15`,
		`SYNC is "perhaps"; it must be "true" or "false"`,
		`ALG is "none"; it must be one of HS256, EdDSA`,
		`URL is "ftp://user:xxxxx@host/x"; it must be an absolute URL with the scheme http or https`,
		`BROKEN cannot be parsed as a URL; it must be an absolute URL with the scheme http or https`,
		`KEY has 4 bytes; it must be 32 bytes or more`,
	}
	got := env.Err()
	if got == nil || got.Error() != strings.Join(want, "\n") {
		t.Errorf("Err() =\n%v\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

func TestEnv_EmptyCountsAsUnset(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{"COST": " ", "NAME": "", "ITEMS": " a, ,b "})
	if got := env.Int("COST", 12, 10, 15); got != 12 {
		t.Errorf("Int of blank = %d, want the default 12", got)
	}
	if got := env.String("NAME", "def"); got != "def" {
		t.Errorf("String of empty = %q, want def", got)
	}
	if got := env.List("ITEMS"); len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Errorf("List = %q, want [a b]", got)
	}
	if u := env.URL("NO_SUCH", "http"); u != nil {
		t.Errorf("URL of unset = %v, want nil", u)
	}
	if err := env.Err(); err != nil {
		t.Errorf("Err() = %v, want nil", err)
	}
}

// TestEnv_RejectsQuotesAroundAValue uses values as docker run --env-file passes them for
// NAME="value".
func TestEnv_RejectsQuotesAroundAValue(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(*config.Env) any{
		"String":    func(e *config.Env) any { return e.String("NAME", "") },
		"Int":       func(e *config.Env) any { return e.Int("NAME", 0, 0, 9) },
		"Bool":      func(e *config.Env) any { return e.Bool("NAME", false) },
		"OneOf":     func(e *config.Env) any { return e.OneOf("NAME", "", "a") },
		"URL":       func(e *config.Env) any { return e.URL("NAME", "https") == nil },
		"List":      func(e *config.Env) any { return len(e.List("NAME")) },
		"SecretURL": func(e *config.Env) any { return e.SecretURL("NAME") },
	} {
		for _, value := range []string{`"https://u:hunter2@h"`, `'https://u:hunter2@h'`, ` "5" `, `""`} {
			env := config.Map(map[string]string{"NAME": value})
			got := read(env)
			read(env) // reported only once
			want := "NAME is in quotes, which become part of the value; it must be the value without quotes"
			if err := env.Err(); err == nil || err.Error() != want {
				t.Errorf("%s of %s = %v, %v; want %s", name, value, got, err, want)
			}
		}
	}
	env := config.Map(map[string]string{"PASSWORD": `"hunter2"`, "QUOTE": `"`, "OPEN": `"a`})
	if got := env.Secret("PASSWORD").Reveal() + env.String("QUOTE", "") + env.String("OPEN", ""); got != `"hunter2"""a` || env.Err() != nil {
		t.Errorf("got %s, %v; want passwords and unquoted values unchanged", got, env.Err())
	}
}

var errUnclosed = errors.New(".env:7: KEY has an unclosed quote")

func TestEnv_DoubtSuppressesLaterMistakes(t *testing.T) {
	t.Parallel()
	env := config.Map(nil)
	line := config.Mistake{Variable: "KEY", Err: errUnclosed}
	env.AddMistake(errUnclosed, "KEY")
	env.AddMistake(errUnclosed, "KEY") // as for a second line of the file
	env.RefuseSecret("KEY", "is not set", "32 bytes or more")
	env.Refuse("COST", "99", "10 to 15")
	got, ok := env.Err().(config.Mistakes) //nolint:errorlint // it is documented to be one
	if !ok || len(got) != 3 || got[0] != line || got[2].Variable != "COST" {
		t.Errorf("got %v", got)
	}
}
