package config_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/config"
)

var errUnclosed = errors.New(".env:7: KEY has an unclosed quote")

func TestMaskURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://cloud.example.org/nc":                       "https://cloud.example.org/nc",
		"cloud.example.org:8443":                             "cloud.example.org:8443",
		"localhost:6379":                                     "localhost:6379",
		"postgres://ada:hunter2@host:5432/x?sslmode=require": "postgres://ada:xxxxx@host:5432/x?sslmode=require",
		"redis://:hunter2@host/0":                            "redis://:xxxxx@host/0",
		"redis://hunter2@host/0":                             "redis://xxxxx@host/0",
		"postgres://host/x?password=hunter2&sslmode=a":       "postgres://host/x?password=xxxxx&sslmode=a",
		"postgres://ada:pa/hunter2@host/x":                   "[secret]",
		"postgres://ada:12/hunter2@host/x":                   "[secret]",
		"postgres://ada:12?hunter2@host/x":                   "[secret]",
		"postgres://ada:12#hunter2@host/x":                   "[secret]",
		"postgres://ada:%zzhunter2@host/x":                   "[secret]",
		"ada:hunter2@host":                                   "[secret]",
		"host=db password=hunter2":                           "[secret]",
		"hunter2":                                            "[secret]",
		"hunter2:hunter2":                                    "[secret]",
	} {
		got := config.MaskURL(in)
		if got != want || strings.Contains(got, "hunter2") {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
}

func TestEnv_DoubtIsTheLastWordAboutAVariable(t *testing.T) {
	t.Parallel()
	env := config.Map(nil)
	line := config.Mistake{Variable: "KEY", Err: errUnclosed}
	env.Doubt(errUnclosed, "KEY")
	env.Doubt(errUnclosed, "KEY") // as a second line of the file is
	env.RefuseSecret("KEY", "is not set", "32 bytes or more")
	env.Refuse("COST", "99", "10 to 15")
	got, ok := env.Err().(config.Mistakes) //nolint:errorlint // it is documented to be one
	if !ok || len(got) != 3 || got[0] != line || got[2].Variable != "COST" {
		t.Errorf("got %v", got)
	}
}

func TestEnv_ObserveTellsHowAVariableIsRead(t *testing.T) {
	t.Parallel()
	env := config.Map(nil)
	var got []config.Use
	env.Observe(func(u config.Use) { got = append(got, u) })
	env.Int("COST", 12, 10, 15)
	env.Bool("SYNC", true)
	env.OneOf("STORE", "memory", "redis")
	env.String("ISSUER", "us")
	env.Secret("KEY")
	want := []config.Use{
		{Variable: "COST", Default: "12", Values: "10 to 15"}, {Variable: "SYNC", Default: "true", Values: "true, false"},
		{Variable: "STORE", Default: "memory", Values: "memory, redis"}, {Variable: "ISSUER", Default: "us"}, {Variable: "KEY"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
