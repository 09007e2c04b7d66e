package gateway_test

import (
	"fmt"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
)

// TestFunctions_LinkOnlyWhatTheyNeed checks the weight of cold starts: what every
// function would pay for belongs to the functions named here, and to no other.
func TestFunctions_LinkOnlyWhatTheyNeed(t *testing.T) {
	t.Parallel()
	linked := linkedByFunctions(t)
	for _, rule := range []struct {
		pkg string   // and what is in its folder
		may []string // functions that need it
	}{
		{"modernc.org/sqlite", nil},
		{"github.com/spf13/cobra", nil},
		{module + "shared/config/dotenv", nil},
		{module + "cmd/gateway/internal/settings", nil},
		{"github.com/prometheus", nil},
		{"go.opentelemetry.io", nil},
		{"google.golang.org", nil},
		{"github.com/aws/aws-sdk-go", nil},
		{module + "docs", nil},
		{module + "cmd/gateway/internal/reference", nil},
		{module + "cmd/gateway/internal/server", nil},
		{"text/template", []string{"mail", "migrate"}}, // goose and mails use it; its calls by name make the linker keep every method there is
		{"html/template", []string{"mail"}},
		{"github.com/wneessen/go-mail", []string{"mail"}},
		{"testing", nil},
		{"net/http/pprof", nil},
		{"github.com/redis/go-redis", []string{"health"}},
		{"github.com/pressly/goose", []string{"migrate"}},
		{"github.com/pquerna/otp", []string{"keys", "mfa", "ncprovision", "users"}}, // which check codes
		{"github.com/go-playground/validator", []string{"files", "keys", "login", "mfa", "ncprovision", "recover", "register", "sessions", "users"}}, // whose requests have tags
		{"golang.org/x/crypto/bcrypt", []string{"files", "keys", "login", "mfa", "ncprovision", "recover", "register", "sessions", "users"}},         // by the rules of shared/validation, too
	} {
		for name, deps := range linked {
			links := slices.ContainsFunc(deps, func(d string) bool { return d == rule.pkg || strings.HasPrefix(d, rule.pkg+"/") })
			if may := slices.Contains(rule.may, name); links != may {
				t.Errorf("%s links %s: %t, want %t", name, rule.pkg, links, may)
			}
		}
	}
	if i := slices.IndexFunc(linked["jwks"], func(d string) bool { return strings.HasPrefix(d, "github.com/jackc/") }); i >= 0 {
		t.Errorf("jwks links %s, and needs no database", linked["jwks"][i])
	}
}

// TestFunctions_LinkOnlyTheSignerOfTheSDK checks that no more of the AWS SDK is
// linked than the package that signs requests and what that imports.
func TestFunctions_LinkOnlyTheSignerOfTheSDK(t *testing.T) {
	t.Parallel()
	const signer = "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", signer).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	allowed := strings.Fields(string(out))
	for name, deps := range linkedByFunctions(t) {
		for _, d := range deps {
			sdk := strings.HasPrefix(d, "github.com/aws/aws-sdk-go") || strings.HasPrefix(d, "github.com/aws/smithy-go")
			if sdk && !slices.Contains(allowed, d) {
				t.Errorf("%s links %s, which %s does not need", name, d, signer)
			}
		}
		if !slices.Contains(deps, signer) {
			t.Errorf("%s does not link %s: how does it read secrets?", name, signer)
		}
	}
}

// linkedByFunctions returns every package in each function's executable, by the
// name of the function's folder.
func linkedByFunctions(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags", faastest.Tags,
		"-f", `{{.ImportPath}} {{join .Deps " "}}`, "./functions/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	linked := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		pkgs := strings.Fields(line)
		if folder, name := path.Split(pkgs[0]); name == "bootstrap" {
			linked[path.Base(folder)] = pkgs[1:]
		}
	}
	if len(linked) < 10 || len(linked["jwks"]) < 100 {
		t.Fatalf("go list names %d functions: %s", len(linked), out)
	}
	return linked
}

// TestFunctions_AreBuiltAlike compares the build tags of the tests with those of
// the Makefile, by which functions are deployed.
func TestFunctions_AreBuiltAlike(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	if line := fmt.Sprintf("\nTAGS      := %s\n", faastest.Tags); !strings.Contains(string(text), line) {
		t.Errorf("the Makefile lacks %q", line)
	}
	builds := strings.NewReplacer("-tags sam", "", "-tags e2e", "").Replace(string(text)) // they choose tests
	if n := strings.Count(builds, "-tags"); n != strings.Count(builds, "-tags $(TAGS)") || n == 0 {
		t.Errorf("the Makefile builds with other tags than $(TAGS)")
	}
}
