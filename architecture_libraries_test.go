package gateway_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
)

// TestLibraries_AreUsed checks that the libraries the gateway was asked to
// stand on are in its executables, and that these are used which do what they are there for.
func TestLibraries_AreUsed(t *testing.T) {
	t.Parallel()
	product := productFiles(t)
	for _, rule := range []struct {
		library string
		home    string   // the package of ours that imports it
		uses    []string // functions and methods
	}{
		{"github.com/aws/aws-lambda-go", "shared/faas", []string{"Start"}},
		{"github.com/awslabs/aws-lambda-go-api-proxy", "shared/faas", []string{"EventToRequest", "GetProxyResponse"}},
		{"github.com/golang-jwt/jwt/v5", "shared/identity/token", []string{"NewWithClaims", "SignedString", "NewParser", "ParseWithClaims"}},
		{"golang.org/x/crypto", "shared/identity/password", []string{"GenerateFromPassword", "CompareHashAndPassword"}},
		{"github.com/go-playground/validator/v10", "shared/validation", []string{"New", "RegisterValidationCtx", "StructCtx"}},
		{"github.com/jackc/pgx/v5", "shared/store/postgres", []string{"ParseConfig", "GetConnector"}},
		{"github.com/go-playground/validator/v10", "shared/validation", []string{"New", "RegisterValidationCtx", "StructCtx"}},
	} {
		selected := map[string]bool{}
		for _, file := range product[rule.home] {
			if imported(file, rule.library) {
				ast.Inspect(file, func(n ast.Node) bool {
					if s, ok := n.(*ast.SelectorExpr); ok {
						selected[s.Sel.Name] = true
					}
					return true
				})
			}
		}
		for _, name := range rule.uses {
			if !selected[name] {
				t.Errorf("no file of %s that imports %s uses %s", rule.home, rule.library, name)
			}
		}
	}
}

// imported reports whether the file imports a package of the library, by a name.
func imported(file *ast.File, library string) bool {
	return slices.ContainsFunc(file.Imports, func(spec *ast.ImportSpec) bool {
		name, err := strconv.Unquote(spec.Path.Value)
		blank := spec.Name != nil && spec.Name.Name == "_"
		return err == nil && !blank && (name == library || strings.HasPrefix(name, library+"/"))
	})
}

// productFiles returns the parsed files, none of them a test, of each package of
// ours that is linked into the program or a function, without the module's name.
func productFiles(t *testing.T) map[string][]*ast.File {
	t.Helper()
	args := []string{"list", "-deps", "-tags", faastest.Tags, "-f",
		`{{with .Module}}{{if .Main}}{{$.ImportPath}}{{range $.GoFiles}} {{.}}{{end}}{{end}}{{end}}`, "./cmd/gateway"}
	functions, err := filepath.Glob("functions/*/bootstrap")
	if err != nil || len(functions) == 0 {
		t.Fatalf("found functions %v, %v", functions, err)
	}
	for _, dir := range functions {
		args = append(args, "./"+filepath.ToSlash(dir))
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := map[string][]*ast.File{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		pkg := strings.TrimPrefix(fields[0], module)
		for _, name := range fields[1:] {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(pkg, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files[pkg] = append(files[pkg], file)
		}
	}
	return files
}
