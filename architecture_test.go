// Package gateway_test checks the architecture: which packages may import which,
// and that the code, the deployment template and the API description have the same
// routes.
package gateway_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/docs"
	"github.com/voiceassist/gateway/functions"
)

const module = "github.com/voiceassist/gateway/"

// imports returns what every package imports beyond the standard library, its
// tests aside; packages of ours without the module's name.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string]map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") ||
			strings.Contains(file, "testdata") || strings.HasPrefix(file, ".aws-sam") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(file))
		if found[pkg] == nil {
			found[pkg] = map[string]bool{}
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if ours, ok := strings.CutPrefix(name, module); ok {
				found[pkg][ours] = true
			} else if strings.Contains(strings.Split(name, "/")[0], ".") {
				found[pkg][name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sorted := map[string][]string{}
	for pkg, set := range found {
		sorted[pkg] = slices.Sorted(maps.Keys(set))
	}
	return sorted
}

// TestImports_StandardLibraryHomes holds what only some packages may use.
func TestImports_StandardLibraryHomes(t *testing.T) {
	t.Parallel()
	for _, rule := range []struct {
		use   *regexp.Regexp
		homes []string // prefixes of files
		why   string
	}{
		{regexp.MustCompile(`"database/sql"`), []string{"bench/seed/", "shared/store/"}, "SQL lives in the store"},
		{regexp.MustCompile(`os\.(Getenv|LookupEnv|Environ)\b`),
			[]string{"cmd/devcloud/", "cmd/gateway/main.go", "release/compile.go", "shared/config/", "shared/faas/", "shared/foundation/defense/weakened.go", "shared/nextcloud/nextcloudtest/contract/", "shared/store/storetest/"}, "settings come through config"},
		{regexp.MustCompile(`\bendpoint\.Raw\(`),
			[]string{"functions/files/", "functions/health/", "functions/jwks/", "functions/page/", "functions/recover/", "cmd/gateway/internal/reference/", "cmd/gateway/internal/server/"}, "only what is listed may write its own answers"},
		{regexp.MustCompile(`\bsignin\.NewProof\(`), []string{"functions/logout/", "shared/endpoint/caller.go", "shared/store/linktokens.go"}, "a proof comes from the check of a token"},
		{regexp.MustCompile(`\.(WithPassword|AsFresh)\(`), []string{"shared/identity/password/confirm.go", "shared/mail/delivery/transport.go", "shared/store/linktokens.go"}, "a password is confirmed where it is verified"},
		{regexp.MustCompile(`\.WithCode\(`), []string{"shared/identity/codes/"}, "a code is confirmed where it is checked"},
		{regexp.MustCompile(`\.Operator\(\)`), []string{"bench/", "cmd/gateway/", "functions/functionstest/", "shared/store/storetest/"}, "only commands act for the operator"},
		{regexp.MustCompile(`\bfunc init\(\)`), nil, "nothing happens before main"},
	} {
		err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			home := slices.ContainsFunc(rule.homes, func(h string) bool { return strings.HasPrefix(filepath.ToSlash(file), h) })
			if rule.use.Match(text) && !home {
				t.Errorf("%s: %s: %s", file, rule.use, rule.why)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestImports_ForTestsOnly holds what not even other tests may import.
func TestImports_ForTestsOnly(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			if !strings.HasPrefix(spec.Path.Value, `"github.com/chromedp/`) {
				continue
			}
			if home := path.Dir(filepath.ToSlash(file)); home != "test" || !strings.HasSuffix(file, "_test.go") {
				t.Errorf("%s imports %s; only the tests in test drive a browser", file, spec.Path.Value)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRoutes_AreDescribed compares the mux with the description of the
// interface.
func TestRoutes_AreDescribed(t *testing.T) {
	t.Parallel()
	described := slices.Sorted(slices.Values(docs.Operations()))
	var served []string
	for pattern := range routes() {
		served = append(served, strings.Replace(pattern, "{path...}", "{path}", 1)) // OpenAPI knows no rest of a path
	}
	slices.Sort(served)
	if diff := cmp.Diff(described, served); diff != "" {
		t.Errorf("docs/openapi.json (-) and the code (+) differ:\n%s", diff)
	}
}

// routes returns the patterns of the code.
func routes() map[string]bool {
	patterns := map[string]bool{}
	for _, r := range (&functions.Parts{}).Routes() {
		patterns[r.Pattern] = true
	}
	return patterns
}

// TestTemplate_DeploysEveryFunction compares template.yaml with the folders of
// functions and the paths of the code.
func TestTemplate_DeploysEveryFunction(t *testing.T) {
	t.Parallel()
	var deployed, paths []string
	for name, f := range readTemplate(t).functions(t) {
		deployed = append(deployed, name)
		for _, e := range f.Events {
			if e.Type == "HttpApi" && e.Properties.Path != "" {
				paths = append(paths, e.Properties.Path)
			}
		}
	}
	bootstraps, err := filepath.Glob("functions/*/bootstrap/main.go")
	if err != nil {
		t.Fatal(err)
	}
	folders := make([]string, len(bootstraps))
	for i, file := range bootstraps {
		folders[i] = strings.Split(filepath.ToSlash(file), "/")[1]
	}
	slices.Sort(deployed)
	if diff := cmp.Diff(folders, deployed); diff != "" {
		t.Errorf("functions/ (-) and template.yaml (+) differ:\n%s", diff)
	}
	var want []string
	for _, page := range (&functions.Parts{}).Pages() {
		_, p, _ := strings.Cut(page.Pattern, " ")
		want = append(want, strings.TrimSuffix(p, "{$}"))
	}
	for pattern := range routes() {
		_, p, _ := strings.Cut(pattern, " ")
		if folder, greedy := strings.CutSuffix(p, "{path...}"); greedy {
			want = append(want, folder) // which {path+} does not match
			p = folder + "{path+}"
		}
		want = append(want, p)
	}
	slices.Sort(want)
	slices.Sort(paths)
	if diff := cmp.Diff(slices.Compact(want), paths); diff != "" {
		t.Errorf("the paths of the code (-) and of template.yaml (+) differ:\n%s", diff)
	}
}
