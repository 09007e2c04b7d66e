package secrets_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas/secrets"
	"github.com/voiceassist/gateway/shared/faas/secrets/secretstest"
)

const password = "correct-horse-battery-staple"

// environment returns an Env over lines "NAME=value".
func environment(lines ...string) *config.Env {
	m := map[string]string{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		m[name] = value
	}
	return config.Map(m)
}

// source returns the Source of a function with these variables.
func source(t *testing.T, lines ...string) *secrets.Source {
	t.Helper()
	env := environment(lines...)
	s := secrets.Read(env)
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

func get(v *secrets.Values, name string) string {
	s, _ := v.Lookup(name)
	return s.Reveal()
}

func TestFetch_ReadsTheSettingsOfEverySecret(t *testing.T) {
	t.Parallel()
	server := secretstest.New(t)
	own := server.Put(t, "gateway/migrate", map[string]string{"DATABASE_URL": "postgres://direct"})
	server.Put(t, "gateway", map[string]string{
		"DATABASE_URL": "postgres://pooled", "JWT_SECRET": password, "JWT_PRIVATE_KEY": "PEM",
		"LD_PRELOAD": "/tmp/x.so", "AWS_LAMBDA_RUNTIME_API": "evil:80", "username": "rotated by somebody else",
	})
	v, err := source(t, server.Env(own, "gateway")...).Fetch(t.Context()) // one by ARN, one by name
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"DATABASE_URL", "JWT_PRIVATE_KEY", "JWT_SECRET"}, v.Names()); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if got := get(v, "DATABASE_URL"); got != "postgres://direct" {
		t.Errorf("DATABASE_URL = %s, want that of the first secret in the list", got)
	}
	if v.Ignored() != 3 || len(v.Versions()) != 2 {
		t.Errorf("ignored %d members of %d secrets, want 3 of 2", v.Ignored(), len(v.Versions()))
	}
	if n, bad := server.Fetches(), server.Refused(); n != 2 || bad != 0 {
		t.Errorf("%d calls, %d with a bad signature; want 2 and 0", n, bad)
	}
}

func TestFetch_RejectsInvalidSecretsWithoutQuotingThem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"text", password, "secret app: its value is not a JSON object"},
		{"a list", `["` + password + `"]`, "secret app: its value is not a JSON object"},
		{"nothing", "null", "secret app: its value is not a JSON object"},
		{"broken JSON", `{"JWT_SECRET":"` + password, "secret app: its value is not a JSON object"},
		{"more than an object", `{"JWT_SECRET":"` + password + `"} x`, "secret app: its value is not a JSON object"},
		{"a setting that is not a string", `{"JWT_SECRET":["` + password + `"]}`, "secret app: its member JWT_SECRET is no string"},
		{"a setting that is null", `{"JWT_SECRET":null}`, "secret app: its member JWT_SECRET is no string"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := secretstest.New(t)
			server.PutText("app", tt.text)
			_, err := source(t, server.Env("app")...).Fetch(t.Context())
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		server := secretstest.New(t)
		server.PutBinary("app", []byte(password))
		_, err := source(t, server.Env("app")...).Fetch(t.Context())
		if want := "secret app: its value is binary"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestFetch_RetriesTransientFailuresOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		times, status   int
		code            string
		wantCalls       int
		wantCode, error string
	}{
		{"a server error", 1, 500, "InternalServiceError", 2, "", ""},
		{"throttled", 1, 400, "ThrottlingException", 2, "", ""},
		{"throttled by status", 1, 429, "", 2, "", ""},
		{"a permanent server error", 9, 503, "InternalServiceError", 2, "InternalServiceError",
			"secret app: InternalServiceError (status 503)"},
		{"no permission", 9, 400, "AccessDeniedException", 1, "AccessDeniedException",
			"secret app: AccessDeniedException (status 400)"},
		{"an invalid code", 9, 400, "<b>" + password, 1, "", "secret app: status 400"},
		{"a redirect", 9, 307, "", 1, "", "secret app: status 307"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := secretstest.New(t)
			server.Put(t, "app", map[string]string{"JWT_SECRET": password})
			server.Fail(tt.times, tt.status, tt.code)
			v, err := source(t, server.Env("app")...).Fetch(t.Context())
			if server.Fetches() != tt.wantCalls {
				t.Errorf("%d calls, want %d", server.Fetches(), tt.wantCalls)
			}
			if tt.error == "" {
				if err != nil || get(v, "JWT_SECRET") != password {
					t.Errorf("got %v, want the secret", err)
				}
				return
			}
			e, ok := errors.AsType[*secrets.Error](err)
			if !ok || e.Code != tt.wantCode || e.Status != tt.status || e.Secret != "app" || err.Error() != tt.error {
				t.Errorf("got %v, want %s", err, tt.error)
			}
		})
	}
}

func TestFetch_ErrorsOmitWhatAWSEchoes(t *testing.T) {
	t.Parallel()
	server := secretstest.New(t)
	server.Put(t, "app", map[string]string{"JWT_SECRET": password})
	_, err := source(t, append(server.Env("app"), "AWS_SECRET_ACCESS_KEY=another")...).Fetch(t.Context())
	if want := "secret app: InvalidSignatureException (status 400)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if server.Refused() != 1 {
		t.Errorf("%d requests were refused, want 1", server.Refused())
	}
	if got := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(got, secretstest.SessionToken) {
		t.Errorf("the error contains the session token: %s", got)
	}
	_, err = source(t, server.Env("gone")...).Fetch(t.Context())
	if want := "secret gone: ResourceNotFoundException (status 400)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFetch_TimesOut(t *testing.T) {
	t.Parallel()
	answers := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + s.URL
	}
	base := secretstest.New(t).Env("app")
	t.Run("an unbounded response", func(t *testing.T) {
		t.Parallel()
		_, err := source(t, append(base, answers(func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1<<16)); err != nil {
					return
				}
			}
		}))...).Fetch(t.Context())
		if err == nil || !strings.Contains(err.Error(), "more than 524288 bytes") {
			t.Errorf("got %v, want a size limit", err)
		}
	})
	t.Run("not JSON", func(t *testing.T) {
		t.Parallel()
		_, err := source(t, append(base, answers(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, password)
		}))...).Fetch(t.Context())
		if want := "secret app: the response is not JSON"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
	t.Run("no server, canceled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := source(t, append(base, "AWS_ENDPOINT_URL_SECRETS_MANAGER=http://127.0.0.1:1")...).Fetch(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context canceled", err)
		}
	})
}

func TestRead_ReportsMistakesWithoutQuotingThem(t *testing.T) {
	t.Parallel()
	arn := "arn:aws:secretsmanager:eu-central-1:123456789012:secret:app-AbCdEf"
	credentials := []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}
	const item = "SECRETS_ARNS has an item that is neither; it must be up to 8 ARNs of Secrets Manager secrets, or names beside AWS_REGION, separated by commas"
	for _, tt := range []struct{ name, list, region, want string }{
		{"an ARN", arn, "", ""},
		{"an ARN of China", strings.NewReplacer("aws:s", "aws-cn:s", "eu-central-1", "cn-north-1").Replace(arn), "", ""},
		{"an ARN of the US government", strings.NewReplacer("aws:s", "aws-us-gov:s", "eu-central", "us-gov-west").Replace(arn), "", ""},
		{"a name", "gateway/prod_1", "eu-central-1", ""},
		{"a name without a region", "app", "", item},
		{"an unknown partition", strings.Replace(arn, "aws", "evil", 1), "eu-central-1", item},
		{"a region of another partition", strings.Replace(arn, "eu-central-1", "cn-north-1", 1), "eu-central-1", item},
		{"a region that is an address", strings.Replace(arn, "eu-central-1", "evil.example.org/", 1), "", item},
		{"another service", strings.Replace(arn, "secretsmanager", "ssm", 1), "eu-central-1", item},
		{"a setting", `{"JWT_SECRET":"` + password + `"}`, "eu-central-1", item},
		{"an incomplete ARN", "arn:aws:secretsmanager:eu-central-1", "eu-central-1", item},
		{"an invalid region", "app", "EU!", item},
		{"a name that is too long", strings.Repeat("a", 520), "eu-central-1", item},
		{"too many", strings.Repeat("a,", 9), "eu-central-1", "SECRETS_ARNS is too long a list;" + strings.SplitN(item, ";", 2)[1]},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := environment(append(credentials, "SECRETS_ARNS="+tt.list, "AWS_REGION="+tt.region)...)
			secrets.Read(env)
			got := ""
			if err := env.Err(); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("no credentials", func(t *testing.T) {
		t.Parallel()
		env := environment("SECRETS_ARNS=" + arn)
		secrets.Read(env)
		if err := env.Err(); err == nil || strings.Count(err.Error(), "is not set") != 2 {
			t.Errorf("got %v, want both variables named", err)
		}
	})
	t.Run("unset", func(t *testing.T) {
		t.Parallel()
		env := environment("AWS_ENDPOINT_URL_SECRETS_MANAGER=not an address")
		if s := secrets.Read(env); s != nil || env.Err() != nil {
			t.Errorf("got %v, %v; want nothing read", s, env.Err())
		}
	})
}

func TestRead_UsesTheEndpointOfTheSecretsRegion(t *testing.T) {
	t.Parallel()
	for arn, want := range map[string]string{
		"arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf":            "secretsmanager.eu-west-1.amazonaws.com",
		"arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a-AbCdEf":        "secretsmanager.cn-north-1.amazonaws.com.cn",
		"arn:aws-us-gov:secretsmanager:us-gov-east-1:123456789012:secret:a-AbCdEf": "secretsmanager.us-gov-east-1.amazonaws.com",
		"by-name": "secretsmanager.eu-central-1.amazonaws.com",
	} {
		s := source(t, "SECRETS_ARNS="+arn, "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b")
		if got := secrets.Hosts(s); len(got) != 1 || got[0] != want {
			t.Errorf("%s: got host %v, want %s", arn, got, want)
		}
	}
}

func TestValues_NeverPrintThemselves(t *testing.T) {
	t.Parallel()
	server := secretstest.New(t)
	server.Put(t, "app", map[string]string{"JWT_SECRET": password})
	s := source(t, server.Env("app")...)
	v, err := s.Fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", slog.Any("v", v), slog.Any("s", s))
	fmt.Fprintf(&out, "%v %+v %#v %v %+v %#v", v, v, v, s, s, s)
	for _, secret := range []string{password, secretstest.SecretKey, secretstest.SessionToken} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s appears in %s", secret, out.String())
		}
	}
}
