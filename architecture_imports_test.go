package gateway_test

import (
	"slices"
	"strings"
	"testing"
)

// A layer is a set of packages that may import each other, and what else they may
// import. Names that end in a slash stand for every package below that folder; a
// package belongs to the layer with the longest name that fits.
type layer struct {
	name     string
	packages string
	imports  string // layers
	apart    bool   // its folders do not import each other
}

// layers are the rules of imports, from the ground up. Tests are exempt.
var layers = []layer{
	{name: "foundation", packages: "shared/foundation/ docs"},
	{name: "keys", packages: "shared/crypto/", imports: "foundation"},

	// A client of one service, which knows no rule.
	{name: "breach", packages: "shared/identity/breach", imports: "foundation"},

	// The rules of the domain do no I/O.
	{name: "rules", imports: "foundation keys breach", packages: "shared/identity/ shared/conversation shared/audit " +
		"shared/nextcloud/desired shared/nextcloud/quota shared/ratelimit shared/mail"},

	// Adapters speak SQL, HTTP, WebDAV or Redis, and never to each other.
	{name: "adapters", imports: "foundation keys rules", apart: true, packages: "shared/store/ shared/endpoint " +
		"shared/nextcloud/ shared/ratelimit/redislimit/"},
	{name: "validation", packages: "shared/validation", imports: "foundation rules adapters"},

	// Services change accounts, files and the audit trail, through adapters.
	{name: "services", imports: "foundation keys rules adapters", packages: "shared/identity/registration shared/identity/recovery shared/identity/revocation " +
		"shared/identity/codes shared/identity/lifecycle " +
		"shared/nextcloud/access shared/nextcloud/reconcile shared/audit/trail shared/store/janitor shared/mail/delivery"},
	{name: "setup", packages: "shared/setup", imports: "foundation keys rules adapters services"},

	// No function imports another; functions/functions.go lists them all.
	{name: "functions", packages: "functions/", imports: "foundation keys rules adapters validation services", apart: true},
	{name: "list", packages: "functions", imports: "foundation keys setup rules adapters services functions"},

	// The edges: only here does anything know the environment.
	{name: "config", packages: "shared/config/", imports: "foundation"},
	{name: "lambda", packages: "shared/faas/", imports: "foundation config"},
	{name: "programs", packages: "bench/ cmd/ clients/ release functions/functionstest " + bootstraps,
		imports: "foundation keys breach rules adapters services setup functions list config lambda"},
}

const bootstraps = "functions/audit/bootstrap functions/files/bootstrap functions/health/bootstrap functions/jwks/bootstrap functions/keys/bootstrap functions/login/bootstrap " +
	"functions/logout/bootstrap functions/mail/bootstrap functions/mfa/bootstrap functions/migrate/bootstrap functions/ncprovision/bootstrap functions/page/bootstrap functions/recover/bootstrap functions/refresh/bootstrap " +
	"functions/register/bootstrap functions/sessions/bootstrap functions/users/bootstrap"

// homes names the packages that may import a third-party module.
var homes = map[string]string{
	"filippo.io/age":                             "cmd/gateway/internal/backup",
	"github.com/aws/aws-lambda-go":               "shared/faas/",
	"github.com/aws/aws-sdk-go-v2":               "shared/faas/secrets",
	"github.com/awslabs/aws-lambda-go-api-proxy": "shared/faas",
	"github.com/CycloneDX/cyclonedx-go":          "release",
	"github.com/go-playground/validator/v10":     "shared/validation",
	"github.com/golang-jwt/jwt/v5":               "shared/foundation/defense shared/identity/token",
	"github.com/KimMachineGun/automemlimit":      "cmd/gateway/internal/server",
	"github.com/google/go-containerregistry":     "release",
	"github.com/google/uuid":                     "shared/foundation/uid",
	"github.com/jackc/pgx/v5":                    "bench/ shared/store/postgres shared/store/storetest",
	"github.com/pquerna/otp":                     "shared/identity/codes functions/mfa",
	"github.com/pressly/goose/v3":                "shared/store/migrations",
	"github.com/prometheus/client_golang":        "cmd/gateway/internal/metrics",
	"github.com/redis/go-redis/v9":               "shared/ratelimit/redislimit functions/health/internal/",
	"github.com/spf13/cobra":                     "cmd/gateway",
	"github.com/spf13/pflag":                     "cmd/gateway",
	"github.com/swaggest/swgui":                  "cmd/gateway/internal/reference",
	"github.com/wneessen/go-mail":                "shared/mail/delivery",
	"go.opentelemetry.io/otel":                   "cmd/gateway/internal/metrics cmd/gateway/internal/tracing",
	"golang.org/x/crypto":                        "bench/floor release shared/identity/password",
	"golang.org/x/net":                           "shared/identity/account",
	"golang.org/x/sync":                          "cmd/gateway/ functions/ shared/",
	"golang.org/x/term":                          "cmd/gateway",
	"golang.org/x/text":                          "shared/conversation shared/identity/ shared/nextcloud/",
	"modernc.org/sqlite":                         "shared/store/sqlite",
}

// within reports whether the package is one of the names, or below a name that
// ends in a slash, and by how long a name.
func within(pkg, names string) (length int, ok bool) {
	for name := range strings.FieldsSeq(names) {
		if pkg == name || strings.HasSuffix(name, "/") && strings.HasPrefix(pkg+"/", name) {
			length, ok = max(length, len(name)), true
		}
	}
	return length, ok
}

// layerOf returns the layer of the package.
func layerOf(pkg string) (best layer) {
	longest := -1
	for _, l := range layers {
		if n, ok := within(pkg, l.packages); ok && n > longest || ok && pkg == l.packages {
			best, longest = l, n
		}
	}
	return best
}

// folder returns the folder at the level where the layer's packages stand apart:
// shared/store for shared/store/postgres.
func folder(pkg string) string {
	parts := strings.SplitN(pkg, "/", 3)
	return strings.Join(parts[:min(len(parts), 2)], "/")
}

// TestImports checks every import against the layers, and that third-party
// modules are used where they have their home. Test packages may import anything.
func TestImports(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for pkg, imported := range imports(t) {
		if strings.HasSuffix(pkg, "test") || strings.HasSuffix(pkg, "test/contract") {
			continue
		}
		from := layerOf(pkg)
		if from.name == "" {
			t.Errorf("%s belongs to no layer", pkg)
		}
		for _, i := range imported {
			if strings.Contains(strings.SplitN(i, "/", 2)[0], ".") {
				checkHome(t, pkg, i, used)
				continue
			}
			to := layerOf(i)
			switch {
			case from.name == to.name && from.apart && folder(pkg) != folder(i):
				t.Errorf("%s may not import %s: %s stand apart", pkg, i, from.name)
			case from.name != to.name && !slices.Contains(strings.Fields(from.imports), to.name):
				t.Errorf("%s (%s) may not import %s (%s)", pkg, from.name, i, to.name)
			}
		}
	}
	for mod := range homes {
		if !used[mod] {
			t.Errorf("nothing imports %s; remove its line", mod)
		}
	}
}

// checkHome checks that pkg may import the third-party package.
func checkHome(t *testing.T, pkg, imported string, used map[string]bool) {
	t.Helper()
	for mod, home := range homes {
		if imported != mod && !strings.HasPrefix(imported, mod+"/") {
			continue
		}
		used[mod] = true
		if _, ok := within(pkg, home); !ok {
			t.Errorf("%s may not import %s; its home is %s", pkg, imported, home)
		}
		return
	}
	t.Errorf("%s imports %s, which has no home", pkg, imported)
}
