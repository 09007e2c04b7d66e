package main

import (
	"encoding/json"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/configcheck"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

// runInNewDir runs a command in a new directory with the given .env and environment.
func runInNewDir(t *testing.T, dotenv string, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if dotenv != "" {
		if err := os.WriteFile(".env", []byte(dotenv), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return runInCurrentDir(t, env, args...)
}

// runInCurrentDir runs a command in the current directory with the given environment.
func runInCurrentDir(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, wrong strings.Builder
	lookup := func(name string) (string, bool) { value, ok := env[name]; return value, ok }
	code = run(t.Context(), args, lookup, &out, &wrong)
	return code, out.String(), wrong.String()
}

// settingsReport returns the report of gateway config check.
func settingsReport(t *testing.T, dotenv string, env map[string]string) configcheck.Report {
	t.Helper()
	_, stdout, stderr := runInNewDir(t, dotenv, env, "config", "check", "--output", "json")
	var r configcheck.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout, stderr)
	}
	return r
}

const fiveMistakes = `# The gateway of the house
HTTPS_ADDR=8443
SSL_KEY_FILE=secrets/tls.key
SSL_CERT_FILE=secrets/tls.crt
JWT_SECRET=Zm9yIHRlc3RzLCBhbmQgbm9ib2R5IGVsc2Ugd2FzIHRvbGQK
JWT_ALGORITM=HS384

BCRYPT_COST=99
DATABASE_URL=postgres://gateway:hunter2hunter2@db.lan:5432/gateway?sslmode=verify-full
NEXTCLOUD_URL=https://cloud.lan
NEXTCLOUD_ADMIN_USER=admin
NEXTCLOUD_ADMIN_PASSWORD=pa$word
NEXTCLOUD_ADMIN_PASWORD=hunter2
`

// TestConfigCheck_ReportsAllMistakes checks settings with five mistakes, one of each kind,
// and two misspelt names.
func TestConfigCheck_ReportsAllMistakes(t *testing.T) {
	code, stdout, stderr := runInNewDir(t, fiveMistakes, map[string]string{"LOG_LEVEL": "warn"}, "config", "check", "--set")
	const want = `SETTING                   VALUE                                                         FROM
JWT_SECRET                [secret]                                                      .env:5
NEXTCLOUD_ADMIN_USER      admin                                                         .env:11
NEXTCLOUD_ADMIN_PASSWORD  (cannot be read)                                              .env:12
HTTPS_ADDR                8443                                                          .env:2
SSL_CERT_FILE             secrets/tls.crt                                               .env:4
SSL_KEY_FILE              secrets/tls.key                                               .env:3
DATABASE_URL              postgres://gateway:xxxxx@db.lan:5432/gateway?sslmode=verify…  .env:9
BCRYPT_COST               99                                                            .env:8
NEXTCLOUD_URL             https://cloud.lan                                             .env:10
LOG_LEVEL                 warn                                                          environment

mistake  .env:12: NEXTCLOUD_ADMIN_PASSWORD has a $ that docker compose interprets: write ${NAME} for a variable, or put the value in single quotes, and write \' for a single quote in it
mistake  .env:2: HTTPS_ADDR is "8443"; it must be an address with a port, such as :8443 or 127.0.0.1:8443
mistake  .env:4: SSL_CERT_FILE: open secrets/tls.crt: no such file or directory
mistake  .env:3: SSL_KEY_FILE: open secrets/tls.key: no such file or directory
mistake  .env:8: BCRYPT_COST is "99"; it must be a whole number from 10 to 16
warning  .env:6: JWT_ALGORITM is not a setting of the gateway; did you mean JWT_ALGORITHM?
warning  .env:13: NEXTCLOUD_ADMIN_PASWORD is not a setting of the gateway; did you mean NEXTCLOUD_ADMIN_PASSWORD?
warning  whoever verifies access tokens with JWT_SECRET can forge refresh tokens and open what is sealed: set DATA_SECRET (docs/operations.md, Keys)
`
	if diff := cmp.Diff(want, stdout); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := "the gateway does not start with these settings; mistakes: 5\n"; code != 1 || stderr != want {
		t.Errorf("%d, %s; want 1, %s", code, stderr, want)
	}
}

// TestConfigCheck_FindsWhatServeRefuses expects both commands to report the same mistakes.
func TestConfigCheck_FindsWhatServeRefuses(t *testing.T) {
	secret := keyring.Generate().Reveal()
	for name, dotenv := range map[string]string{
		"five mistakes":                 fiveMistakes,
		"Redis without an address":      "RATE_LIMIT_STORE=redis\n",
		"only Nextcloud's URL":          "NEXTCLOUD_URL=https://cloud.lan\nNEXTCLOUD_CA_FILE=/nowhere\nNEXTCLOUD_DEFAULT_QUOTA=much\n",
		"a key without its certificate": "SSL_KEY_FILE=/dev/null\n",
		"no private key":                "JWT_ALGORITHM=EdDSA\nDATA_SECRET=short\nALLOWED_ORIGINS=*\n",
		"a placeholder":                 "JWT_SECRET=changeme-with-openssl-rand-base64-48\nDATABASE_URL=mysql://x\nDATABASE_CA=none\nREDIS_URL='\"redis://x\"'\n",
		"malformed lines":               "A B=c\nDEBUG=perhaps\nDEBUG=true\nMETRICS_ADDR='x\n",
		"a short secret":                "JWT_ALGORITHM=HS512\nJWT_SECRET=" + secret[:50] + "\nTRUSTED_PROXIES=0.0.0.0/0\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := settingsReport(t, dotenv, nil)
			var found []string
			for _, m := range r.Mistakes {
				found = append(found, m.Text)
			}
			code, _, stderr := runInCurrentDir(t, nil, "serve")
			refused := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
			hint := refused[len(refused)-1]
			if diff := cmp.Diff(refused[:len(refused)-1], found); diff != "" || code != 1 {
				t.Errorf("serve exits with %d, want 1; the mistakes differ (-serve +check):\n%s", code, diff)
			}
			if len(found) == 0 || !strings.Contains(hint, "gateway config check") {
				t.Errorf("config check found %d mistakes; serve suggests %q, want gateway config check", len(found), hint)
			}
			if left, err := os.ReadDir("."); err != nil || len(left) != 1 {
				t.Errorf("the directory contains %v, %v; want only .env", left, err)
			}
		})
	}
}

// TestConfigCheck_HasNoSideEffects checks valid settings that all name one listener, which
// must get no connection.
func TestConfigCheck_HasNoSideEffects(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	called := make(chan bool)
	go func() {
		_, err := l.Accept()
		called <- err == nil
	}()
	at := l.Addr().String()
	code, stdout, stderr := runInNewDir(t, "", map[string]string{
		"DATABASE_URL": "postgres://u@" + at + "/x", "MIGRATE_DATABASE_URL": "postgres://u@" + at + "/x",
		"REDIS_URL": "redis://" + at, "RATE_LIMIT_STORE": "redis", "QDRANT_URL": "http://" + at,
		"NEXTCLOUD_URL": "http://" + at, "NEXTCLOUD_ADMIN_USER": "admin", "NEXTCLOUD_ADMIN_PASSWORD": "correct horse", "HTTPS_ADDR": at, "HTTP_ADDR": at,
	}, "config", "check")
	if code != 0 || !strings.Contains(stderr, "The settings are valid.") {
		t.Errorf("exit code %d, want 0\n%s%s", code, stdout, stderr)
	}
	if err := l.Close(); err != nil || <-called {
		t.Errorf("config check connected to a service, %v", err)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("the directory contains %v, %v; want nothing", left, err)
	}
}

func TestConfigCheck_NeverShowsASecret(t *testing.T) {
	const secret = "hunter2Hunter3hunter4Hunter5hunter6Hunter7"
	for name, dotenv := range map[string]string{
		"secrets":                     "JWT_SECRET=" + secret + "\nDATA_SECRET=" + secret + "x\nJWT_PREVIOUS_SECRETS=" + secret + ",hunter\nNEXTCLOUD_ADMIN_PASSWORD=" + secret + "\nPOSTGRES_PASSWORD=" + secret,
		"weak secrets":                "JWT_SECRET=hunter2\nDATA_SECRET=hunter2hunter2hunter2hunter2hunter2hunter2",
		"a key":                       "JWT_ALGORITHM=EdDSA\nJWT_PRIVATE_KEY='-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----'",
		"URLs":                        "DATABASE_URL=postgres://u:hunter2@h/x?password=hunter2\nREDIS_URL=redis://hunter2@h\nNEXTCLOUD_URL=https://u:hunter2@h\nNEXTCLOUD_PUBLIC_URL=https://hunter2@h\nQDRANT_URL=http://h?api_key=hunter2",
		"wrong URLs":                  "DATABASE_URL=mysql://u:1/hunter2@h/x\nMIGRATE_DATABASE_URL=host=h password=hunter2\nREDIS_URL=http://u:1?hunter2@h\nNEXTCLOUD_URL=u:hunter2@h\nQDRANT_URL=hunter2",
		"malformed lines":             "JWT_SECRET='hunter2\nDATA_SECRET=hunter2$hunter2",
		"wrong names":                 "JWT_SECRT=hunter2\nHUNTING=hunter2",
		"a secret in another setting": "NEXTCLOUD_ADMIN_PASSWORD=hunter2hunter2\nNEXTCLOUD_GROUP=x${NEXTCLOUD_ADMIN_PASSWORD}\nDATABASE_CA='-----BEGIN PRIVATE KEY-----\nhunter2'",
	} {
		t.Run(name, func(t *testing.T) {
			_, stdout, stderr := runInNewDir(t, dotenv, nil, "config", "check")
			_, asJSON, _ := runInCurrentDir(t, nil, "config", "check", "--output", "json")
			for _, text := range []string{stdout, stderr, asJSON} {
				if strings.Contains(strings.ToLower(text), "hunter") {
					t.Errorf("the output contains a secret:\n%s", text)
				}
			}
		})
	}
}

func TestConfigCheck_ReportsOrigins(t *testing.T) {
	r := settingsReport(t, "LOG_LEVEL=warn\nJWT_ISSUER=\n\nJWT_AUDIENCE=us\nHTTP_PORT=80\n", map[string]string{"JWT_AUDIENCE": "you", "DEBUG": "", "HOME": "/root"})
	for _, want := range []configcheck.Setting{
		{Name: "LOG_LEVEL", Value: "warn", From: ".env:1", Set: true},
		{Name: "JWT_ISSUER", Value: "voiceassist", From: "default", Set: false},
		{Name: "JWT_AUDIENCE", Value: "you", From: "environment", Set: true},
		{Name: "DEBUG", Value: "false", From: "default", Set: false},
		{Name: "HTTP_PORT", Value: "80", From: ".env:5", Set: true},
		{Name: "JWT_SECRET", Value: "[secret]", From: "generated at the first start", Set: true},
		{Name: "DATA_SECRET", Value: "[secret]", From: "generated at the first start", Set: true},
		{Name: "JWT_PREVIOUS_SECRETS", Value: "(none)", From: "default", Set: false},
	} {
		if !slices.Contains(r.Settings, want) {
			t.Errorf("got %v, want among them %v", r.Settings, want)
		}
	}
	for _, hidden := range []string{"HOME", "AWS_REGION", "HTTPS_PORT"} {
		if slices.ContainsFunc(r.Settings, func(s configcheck.Setting) bool { return s.Name == hidden }) {
			t.Errorf("the report lists %s, which is not a setting of the gateway", hidden)
		}
	}
	dir := t.TempDir()
	if code, _, stderr := runInCurrentDir(t, map[string]string{"DATA_DIR": dir}, "keys", "rotate"); code != 0 {
		t.Fatal(stderr)
	}
	stored := configcheck.Setting{Name: "JWT_SECRET", Value: "[secret]", From: dir + "/keys.json", Set: true}
	if r := settingsReport(t, "", map[string]string{"DATA_DIR": dir}); !slices.Contains(r.Settings, stored) {
		t.Errorf("got %v, want among them %v", r.Settings, stored)
	}
}

func TestConfigCheck_Warns(t *testing.T) {
	secret := keyring.Generate().Reveal()
	both := "JWT_SECRET=" + secret + "\nDATA_SECRET=" + keyring.Generate().Reveal() + "\n"
	for _, test := range []struct{ name, dotenv, want string }{
		{"one secret", "JWT_SECRET=" + secret, "set DATA_SECRET"},
		{"a generated secret", "DATABASE_URL=postgres://u:x@h/x", "JWT_SECRET is not set: this machine made its own"},
		{"a placeholder", both + "POSTGRES_PASSWORD=changeme", "POSTGRES_PASSWORD is a placeholder"},
		{"an example's password", both + "REDIS_URL=redis://:password@h/0", "REDIS_URL has the password of an example"},
		{"an example's address", both + "QDRANT_URL=http://qdrant.example.org", "QDRANT_URL has the address of an example"},
		{"Nextcloud without an address", both + "NEXTCLOUD_GROUP=x", "NEXTCLOUD_GROUP has no effect without NEXTCLOUD_URL, which docker compose sets itself"},
		{"a key under HS256", both + "JWT_PRIVATE_KEY_FILE=x", "JWT_PRIVATE_KEY_FILE has no effect unless JWT_ALGORITHM is EdDSA, ES256, RS256"},
		{"a certificate without a key", both + "SSL_CERT_FILE=x", "SSL_CERT_FILE has no effect on the gateway without SSL_KEY_FILE"},
		{"a CA without a database", both + "DATABASE_CA=x", "DATABASE_CA has no effect without DATABASE_URL"},
		{"two log levels", both + "LOG_LEVEL=error\nDEBUG=yes", "LOG_LEVEL has no effect with DEBUG=true"},
		{"a setting of the functions", both + "SECRETS_ARNS=x", "SECRETS_ARNS has no effect: only Lambda functions read it"},
		{"a misspelt name", both + "jwt_issuer=x", "jwt_issuer is not a setting of the gateway; did you mean JWT_ISSUER?"},
		{"an unknown name", both + "TIMEZONE=x", "TIMEZONE is not a setting of the gateway"},
		{"variables of compose", both + "COMPOSE_PROJECT_NAME=x\nHTTPS_PORT=1\nHOST=h\nJWT_ISSUER=${HOST}", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := settingsReport(t, test.dotenv, nil)
			if len(r.Mistakes) > 0 || len(r.Warnings) > 1 || (len(r.Warnings) == 0) != (test.want == "") {
				t.Fatalf("got %+v, want %q", r, test.want)
			}
			if test.want != "" && !strings.Contains(r.Warnings[0].Text, test.want) {
				t.Errorf("got %q, want %q", r.Warnings[0].Text, test.want)
			}
		})
	}
}

func TestConfigCheck_KnowsComposeVariables(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{".env": "TIMEZONE=x\nTIMEZON=y\n", "docker-compose.override.yml": "services: {nextcloud: {environment: {TZ: '${TIMEZONE}'}}}\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, stdout, _ := runInCurrentDir(t, nil, "config", "check")
	if strings.Contains(stdout, "TIMEZONE is") || !strings.Contains(stdout, ".env:2: TIMEZON is not a setting") {
		t.Errorf("got %s, want a warning about TIMEZON only", stdout)
	}
}

// TestConfigCheck_OfTheExample sets in .env.example the secrets that docker compose requires.
func TestConfigCheck_OfTheExample(t *testing.T) {
	_, example, _ := runInNewDir(t, "", nil, "config", "example")
	for _, name := range []string{"JWT_SECRET", "DATA_SECRET", "NEXTCLOUD_ADMIN_PASSWORD", "POSTGRES_PASSWORD", "NEXTCLOUD_POSTGRES_PASSWORD"} {
		before, after, _ := strings.Cut(example, "\n"+name+"=")
		_, after, _ = strings.Cut(after, "\n")
		example = before + "\n" + name + "=" + keyring.Generate().Reveal() + "\n" + after
	}
	r := settingsReport(t, example, nil)
	if len(r.Mistakes) > 0 || len(r.Warnings) != 2 { // about Nextcloud's administrator; compose sets NEXTCLOUD_URL
		t.Errorf("got the mistakes %+v and the warnings %+v, want only 2 warnings", r.Mistakes, r.Warnings)
	}
}

func TestConfigCheck_ExitCodesAndUnreadableFiles(t *testing.T) {
	for _, test := range []struct {
		name, dotenv string
		args         []string
		code         int
		stdout       string
	}{
		{"valid settings", "", nil, 0, "SETTING"},
		{"a mistake", "DEBUG=x", nil, 1, "mistake  .env:1: DEBUG"},
		{"an unknown flag", "", []string{"--all"}, 2, ""},
		{"UTF-16", "\xFF\xFED\x00", nil, 1, "mistake  .env is in UTF-16; save it as UTF-8"},
	} {
		code, stdout, stderr := runInNewDir(t, test.dotenv, nil, append([]string{"config", "check"}, test.args...)...)
		if code != test.code || !strings.HasPrefix(stdout, test.stdout) && !strings.Contains(stdout, "\n"+test.stdout) {
			t.Errorf("%s: exit code %d, want %d and %q in\n%s%s", test.name, code, test.code, test.stdout, stdout, stderr)
		}
	}
}
