package configcheck_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/cmd/gateway/internal/configcheck"
	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/cmd/gateway/internal/settings"
	"github.com/voiceassist/gateway/functions"
	"github.com/voiceassist/gateway/shared/config/dotenv"
)

// source returns a source with these variables in the environment and this .env.
func source(t *testing.T, env map[string]string, text string) configcheck.Source {
	t.Helper()
	lookup := func(name string) (string, bool) { value, ok := env[name]; return value, ok }
	file, err := dotenv.Parse(".env", []byte(text), lookup)
	s := configcheck.Source{Environment: lookup, FileName: ".env", File: file}
	wrong, _ := errors.AsType[dotenv.Mistakes](err)
	for _, m := range wrong {
		s.Mistakes = append(s.Mistakes, configcheck.Finding{Setting: m.Name, Text: m.Error()})
	}
	return s
}

// check returns the report about s.
func check(s configcheck.Source) *configcheck.Report {
	return configcheck.Check(settings.Describe(new(server.Settings), new(functions.Settings)).All(), s)
}

// setting returns the setting with that name in the report about s.
func setting(t *testing.T, s configcheck.Source, name string) configcheck.Setting {
	t.Helper()
	r := check(s)
	i := slices.IndexFunc(r.Settings, func(s configcheck.Setting) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("%s is not in %+v", name, r.Settings)
	}
	return r.Settings[i]
}

func TestCheck_ShowsWhereSettingsComeFrom(t *testing.T) {
	t.Parallel()
	env := map[string]string{"JWT_AUDIENCE": "environment", "HTTP_ADDR": ""}
	s := source(t, env, "JWT_AUDIENCE=file\nLOG_LEVEL=warn\nJWT_ISSUER=\nNEXTCLOUD_GROUP=pa$word\n")
	s.Keys = map[string]string{"JWT_SECRET": "from the key file", "JWT_PREVIOUS_SECRETS": ",,"}
	generated := s
	s.KeyFile = "/data/keys.json"
	for _, test := range []struct {
		source            configcheck.Source
		name, value, from string
	}{
		{s, "JWT_AUDIENCE", "environment", "environment"},
		{s, "LOG_LEVEL", "warn", ".env:2"},
		{s, "JWT_ISSUER", "voiceassist", "default"},
		{s, "NEXTCLOUD_GROUP", "(cannot be read)", ".env:4"},
		{s, "HTTP_ADDR", ":8000", "default"},
		{s, "JWT_SECRET", "[secret]", "/data/keys.json"},
		{generated, "JWT_SECRET", "[secret]", "generated at the first start"},
		{s, "JWT_PREVIOUS_SECRETS", "(none)", "default"},
	} {
		want := configcheck.Setting{Name: test.name, Value: test.value, From: test.from, Set: test.from != "default"}
		if got := setting(t, test.source, test.name); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestCheck_HidesSecrets(t *testing.T) {
	t.Parallel()
	const hidden = "a secret text"
	for _, text := range []string{
		"JWT_SECRET='" + hidden + "'",
		"DATABASE_URL=postgres://gateway:" + strings.ReplaceAll(hidden, " ", "") + "@db.lan/gateway",
		"JWT_SECRET='" + hidden + "'\nJWT_ISSUER=x${JWT_SECRET}x",
		"JWT_ISSUER='PRIVATE KEY " + hidden + "'",
	} {
		r := check(source(t, nil, text))
		for _, s := range r.Settings {
			if strings.Contains(strings.ReplaceAll(s.Value, " ", ""), "asecrettext") {
				t.Errorf("%q: %s is %q", text, s.Name, s.Value)
			}
		}
	}
}

// TestCheck_LocatesMistakes: a mistake has the place of its setting.
func TestCheck_LocatesMistakes(t *testing.T) {
	t.Parallel()
	s := source(t, map[string]string{"LOG_LEVEL": "loud"}, "BCRYPT_COST=99\n")
	s.Mistakes = []configcheck.Finding{{Setting: "BCRYPT_COST", Text: "too high"}, {Setting: "LOG_LEVEL", Text: "too loud"}, {Text: "no name"}}
	r := check(s)
	want := []configcheck.Finding{
		{Setting: "BCRYPT_COST", From: ".env:1", Text: "too high"},
		{Setting: "LOG_LEVEL", From: "environment", Text: "too loud"},
		{Text: "no name"},
	}
	if !slices.Equal(r.Mistakes, want) {
		t.Errorf("got %+v", r.Mistakes)
	}
}

// TestCheck_Warns has the warnings that depend on more than one setting.
func TestCheck_Warns(t *testing.T) {
	t.Parallel()
	generated := map[string]string{"JWT_SECRET": "generated"}
	for _, test := range []struct {
		text   string
		change func(*configcheck.Source)
		want   string
	}{
		{text: "DATABASE_URL=postgres://u@db.lan/x", change: func(s *configcheck.Source) { s.Keys = generated }, want: configcheck.OwnSecret},
		{text: "DATABASE_URL=postgres://u@db.lan/x\nJWT_SECRET=x", change: func(s *configcheck.Source) { s.Keys = generated }},
		{change: func(s *configcheck.Source) { s.Keys = generated }},
		{change: func(s *configcheck.Source) { s.SharedSecret = "one secret" }, want: "one secret"},
		{text: "LOG_LEVEL=warn", change: func(s *configcheck.Source) { s.Debug = true }, want: "LOG_LEVEL has no effect with DEBUG=true"},
		{text: "LOG_LEVEL=debug", change: func(s *configcheck.Source) { s.Debug = true }},
		{text: "LOG_LEVEL=warn"},
		{text: "EMAIL_VERIFICATION=storage", want: "EMAIL_VERIFICATION is storage, but mails only become files: set SMTP_URL"},
		{text: "EMAIL_VERIFICATION=login\nDATABASE_URL=postgres://u@db.lan/x", want: "EMAIL_VERIFICATION is login, but mails stay in the outbox: set SMTP_URL"},
		{text: "EMAIL_VERIFICATION=login\nDATABASE_URL=postgres://u@db.lan/x\nMAIL_DIR=mails", want: "EMAIL_VERIFICATION is login, but mails only become files: set SMTP_URL"},
		{text: "EMAIL_VERIFICATION=login\nSMTP_URL=smtp://mail.lan"},
		{text: "REGISTRATION=invite\nDATABASE_URL=postgres://u@db.lan/x", want: "REGISTRATION is invite, but mails stay in the outbox: set SMTP_URL"},
		{text: "REGISTRATION=invite\nSMTP_URL=smtp://mail.lan"},
		{text: "REGISTRATION=closed"},
		{text: "EMAIL_VERIFICATION=off\nDATABASE_URL=postgres://u@db.lan/x"},
	} {
		s := source(t, nil, test.text)
		if test.change != nil {
			test.change(&s)
		}
		var got string
		for _, w := range check(s).Warnings {
			got += w.Text
		}
		if got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestReport_KeepSet(t *testing.T) {
	t.Parallel()
	r := check(source(t, nil, "LOG_LEVEL=warn\n"))
	r.KeepSet()
	if len(r.Settings) != 1 || r.Settings[0].Name != "LOG_LEVEL" {
		t.Errorf("got %+v", r.Settings)
	}
}
