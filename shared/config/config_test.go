package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
)

func TestEnv_TellsEveryMistakeOnALineOfItsOwn(t *testing.T) {
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
		`COST is "99"; it takes a whole number from 10 to 15`,
		`SYNC is "perhaps"; it takes "true" or "false"`,
		`ALG is "none"; it takes one of HS256, EdDSA`,
		`URL is "ftp://user:xxxxx@host/x"; it takes an absolute URL with the scheme http or https`,
		`BROKEN cannot be parsed as a URL; it takes an absolute URL with the scheme http or https`,
		`KEY has 4 bytes; it takes 32 bytes or more`,
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

func TestSecret_NeverPrintsItself(t *testing.T) {
	t.Parallel()
	s := config.Secret("hunter2")
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("m", slog.Any("any", s), slog.Any("in", struct{ S config.Secret }{s}))
	j, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	fmt.Fprintf(&out, "%v %s %q %#v %+v", s, s, s, s, struct{ S config.Secret }{s})
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("the secret shows in %s", out.String())
	}
	if s.Reveal() != "hunter2" {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
}
