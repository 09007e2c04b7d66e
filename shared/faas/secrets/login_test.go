package secrets_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/voiceassist/gateway/shared/faas/secrets/secretstest"
)

// TestFetch_RDSLoginBecomesTheDatabaseURL checks secrets as RDS, its console and AWS's
// rotation functions write them, alone and next to a secret of the project.
func TestFetch_RDSLoginBecomesTheDatabaseURL(t *testing.T) {
	t.Parallel()
	const (
		whole = `{"engine":"postgres","host":"db.example.org","username":"app","password":"p@s/s:w%rd","dbname":"gateway","port":5433,` +
			`"dbInstanceIdentifier":"db","masterarn":"arn:x"}`
		managed = `{"username":"app","password":"p@s/s:w%rd"}` // by RDS itself
		ours    = `{"JWT_SECRET":"x","DATABASE_URL":"postgres://proxy.example.org/gateway?sslmode=verify-full","MIGRATE_DATABASE_URL":"postgresql://db.example.org/gateway"}`
		login   = "postgres://app:p%40s%2Fs%3Aw%25rd@"
	)
	for _, tt := range []struct {
		name, first, second string
		url, direct         string
		ignored             int
	}{
		{"as written by a rotation function", whole, "", login + "db.example.org:5433/gateway?sslmode=verify-full", "", 2},
		{
			"with the required members only", `{"host":"::1","username":"app","password":""}`, "",
			"postgres://app:@[::1]:5432/postgres?sslmode=verify-full", "", 0,
		},
		{
			"with the port as text, and an sslmode", `{"host":"h","port":"6432","sslmode":"require","username":"a","password":"b","engine":"aurora-postgresql"}`, "",
			"postgres://a:b@h:6432/postgres?sslmode=require", "", 0,
		},
		{
			"merged into the URLs of another secret", ours, managed,
			login + "proxy.example.org/gateway?sslmode=verify-full", "postgresql" + login[8:] + "db.example.org/gateway", 0,
		},
		{
			"in any order, with a host that the other secret replaces", whole, ours,
			login + "proxy.example.org/gateway?sslmode=verify-full", "postgresql" + login[8:] + "db.example.org/gateway", 2,
		},
		{"two logins: the first wins", `{"username":"one","password":"1","host":"h"}`, whole, "postgres://one:1@h:5432/postgres?sslmode=verify-full", "", 2},
		{"a URL with a user stays unchanged", `{"DATABASE_URL":"postgres://root@h/db"}`, managed, "postgres://root@h/db", "", 0},
		{"a URL with a user in the query stays unchanged", `{"DATABASE_URL":"postgres://h/db?user=root"}`, managed, "postgres://h/db?user=root", "", 0},
		{"a connection string stays unchanged", `{"DATABASE_URL":"host=h user=root"}`, managed, "host=h user=root", "", 0},
		{"a login without a host", managed, "", "", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := secretstest.New(t)
			server.PutText("first", tt.first)
			refs := []string{"first"}
			if tt.second != "" {
				server.PutText("second", tt.second)
				refs = append(refs, "second")
			}
			v, err := source(t, server.Env(refs...)...).Fetch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := get(v, "DATABASE_URL"); got != tt.url {
				t.Errorf("got DATABASE_URL %s, want %s", got, tt.url)
			}
			if got := get(v, "MIGRATE_DATABASE_URL"); got != tt.direct {
				t.Errorf("got MIGRATE_DATABASE_URL %s, want %s", got, tt.direct)
			}
			if v.Ignored() != tt.ignored {
				t.Errorf("%d members were ignored, want %d", v.Ignored(), tt.ignored)
			}
			if shown := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(shown, "w%") || strings.Contains(shown, "app") {
				t.Errorf("the login appears in %s", shown)
			}
		})
	}
	t.Run("the driver parses the original values", func(t *testing.T) {
		t.Parallel()
		server := secretstest.New(t)
		server.PutText("first", whole)
		v, err := source(t, server.Env("first")...).Fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := pgx.ParseConfig(get(v, "DATABASE_URL"))
		if err != nil || c.User != "app" || c.Password != "p@s/s:w%rd" || c.Host != "db.example.org" || c.Port != 5433 ||
			c.Database != "gateway" || c.TLSConfig == nil || c.TLSConfig.InsecureSkipVerify || len(c.Fallbacks) != 0 {
			t.Errorf("got %+v, %v", c, err)
		}
	})
}

func TestFetch_RejectsInvalidLoginsWithoutQuotingThem(t *testing.T) {
	t.Parallel()
	const form, engine = "its database credentials are not in the format of RDS", "its credentials are not for PostgreSQL"
	for text, want := range map[string]string{
		`{"username":"app","password":["` + password + `"]}`:                           form,
		`{"username":null,"password":"` + password + `"}`:                              form,
		`{"username":"app","password":"` + password + `","host":{}}`:                   form,
		`{"username":"app","password":"` + password + `","host":"h","engine":"mysql"}`: engine,
	} {
		server := secretstest.New(t)
		server.PutText("app", text)
		_, err := source(t, server.Env("app")...).Fetch(t.Context())
		if err == nil || err.Error() != "secret app: "+want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
