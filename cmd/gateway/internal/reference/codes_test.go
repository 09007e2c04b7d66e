package reference_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/docs"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// kinds are the kinds of fault by their name in the code.
var kinds = map[string]fault.Kind{
	"Internal": fault.Internal, "Malformed": fault.Malformed, "Invalid": fault.Invalid,
	"Unauthenticated": fault.Unauthenticated, "InvalidToken": fault.InvalidToken, "Forbidden": fault.Forbidden,
	"NotFound": fault.NotFound, "MethodNotAllowed": fault.MethodNotAllowed, "Conflict": fault.Conflict,
	"PreconditionFailed": fault.PreconditionFailed, "TooLarge": fault.TooLarge,
	"UnsupportedMediaType": fault.UnsupportedMediaType, "RateLimited": fault.RateLimited, "Unavailable": fault.Unavailable,
	"RangeNotSatisfiable": fault.RangeNotSatisfiable, "InsufficientStorage": fault.InsufficientStorage,
}

// collected is every code that the source can put into an answer.
type collected struct {
	problems map[string]int  // code → status
	fields   map[string]bool // codes of entries of errors
	standing map[string]bool // words of last_error
}

// collect reads the source of shared and functions. Codes are literals where
// faults are made, and a test fails where one is not.
func collect(t *testing.T) collected {
	t.Helper()
	c := collected{problems: map[string]int{}, fields: map[string]bool{}, standing: map[string]bool{}}
	files := token.NewFileSet()
	for _, dir := range []string{"../../../../shared", "../../../../functions", "../../../../cmd"} {
		err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") ||
				strings.Contains(file, "testdata") || strings.Contains(filepath.Dir(file), "nextcloudtest") {
				return err
			}
			parsed, err := parser.ParseFile(files, file, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				c.node(t, files, parsed.Name.Name, n)
				return true
			})
			if filepath.ToSlash(file) == "../../../../shared/nextcloud/reconcile/failure.go" {
				c.constants(parsed)
			}
			if parsed.Name.Name == "validation" {
				c.returned(parsed)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// node notes the code of a call of fault.New or of Fields.Check in pkg, and of
// a problem that is written out.
func (c collected) node(t *testing.T, files *token.FileSet, pkg string, n ast.Node) {
	t.Helper()
	switch n := n.(type) {
	case *ast.CallExpr:
		switch {
		case makesFault(n, pkg):
			code, literal := documentText(n.Args[1])
			kind, known := kinds[name(n.Args[0])]
			if !literal || !known {
				t.Errorf("%s: the kind or the code is no constant", files.Position(n.Pos()))
			}
			c.note(code, kind)
		case name(n.Fun) == "Check" && len(n.Args) == 4:
			if code, literal := documentText(n.Args[2]); literal {
				c.fields[code] = true
			}
		}
	case *ast.CompositeLit:
		if name(n.Type) == "problem" {
			c.written(n)
		}
	}
}

func (c collected) note(code string, kind fault.Kind) {
	if kind == fault.Invalid && code != "validation_failed" {
		c.fields[code] = true // such a fault is one entry of errors
		return
	}
	c.problems[code] = endpoint.StatusOf(kind)
}

// written notes a problem that is no fault: shared/faas knows some.
func (c collected) written(problem *ast.CompositeLit) {
	statuses := map[string]int{
		"StatusBadRequest": http.StatusBadRequest, "StatusInternalServerError": http.StatusInternalServerError,
		"StatusServiceUnavailable": http.StatusServiceUnavailable,
	}
	var code string
	var status int
	for _, e := range problem.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			switch name(kv.Key) {
			case "Code":
				code, _ = documentText(kv.Value)
			case "Status":
				status = statuses[name(kv.Value)]
			}
		}
	}
	if code != "" {
		c.problems[code] = status
	}
}

// constants notes the exported strings of a file.
func (c collected) constants(file *ast.File) {
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
			for _, s := range g.Specs {
				for i, value := range s.(*ast.ValueSpec).Values {
					if word, ok := documentText(value); ok && s.(*ast.ValueSpec).Names[i].IsExported() {
						c.standing[word] = true
					}
				}
			}
		}
	}
}

// returned notes what shared/validation makes of tags: code and message.
func (c collected) returned(file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 2 {
			if code, ok := documentText(r.Results[0]); ok {
				c.fields[code] = true
			}
		}
		return true
	})
}

// makesFault reports whether call, in pkg, is one of fault.New.
func makesFault(call *ast.CallExpr, pkg string) bool {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name == "New" && name(f.X) == "fault"
	case *ast.Ident:
		return f.Name == "New" && pkg == "fault"
	}
	return false
}

// name returns the last name of an expression.
func name(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// documentText returns the value of a string literal.
func documentText(e ast.Expr) (string, bool) {
	literal, ok := e.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(literal.Value)
	return s, err == nil
}

// table returns the rows of the table of api.md whose first column has that
// head: the first cell, and the cells after it.
func table(t *testing.T, head string) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../../../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n| "+head+" |")
	if !found {
		t.Fatalf("docs/api.md has no table of %q", head)
	}
	rest, _, _ = strings.Cut(rest, "\n\n")
	rows := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(rest), "\n")[1:] {
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		word := strings.Trim(cells[0], "`")
		if _, twice := rows[word]; twice {
			t.Errorf("docs/api.md lists %s twice", word)
		}
		if !strings.HasSuffix(cells[len(cells)-1], ".") {
			t.Errorf("docs/api.md says no sentence about %s", word)
		}
		rows[word] = cells[1:]
	}
	return rows
}

func TestAPIPage_ListsEveryProblemCode(t *testing.T) {
	t.Parallel()
	listed := map[string]int{}
	for code, cells := range table(t, "code | status | meaning") {
		status, err := strconv.Atoi(cells[0])
		if err != nil {
			t.Errorf("%s: %v", code, err)
		}
		listed[code] = status
	}
	if diff := cmp.Diff(collect(t).problems, listed); diff != "" {
		t.Errorf("the code (-) and docs/api.md (+) differ:\n%s", diff)
	}
}

func TestAPIPage_ListsEveryFieldCode(t *testing.T) {
	t.Parallel()
	listed := slices.Sorted(maps.Keys(table(t, "code | meaning")))
	if diff := cmp.Diff(slices.Sorted(maps.Keys(collect(t).fields)), listed); diff != "" {
		t.Errorf("the code (-) and docs/api.md (+) differ:\n%s", diff)
	}
}

func TestAPIPage_ListsEveryErrorOfNextcloud(t *testing.T) {
	t.Parallel()
	want := slices.Sorted(maps.Keys(collect(t).standing))
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(table(t, "last_error | meaning")))); diff != "" {
		t.Errorf("shared/nextcloud/reconcile (-) and docs/api.md (+) differ:\n%s", diff)
	}
	var d struct {
		Components struct {
			Schemas map[string]struct {
				Enum []*string `json:"enum"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(docs.OpenAPI()), &d); err != nil {
		t.Fatal(err)
	}
	var described []string
	for _, word := range d.Components.Schemas["NextcloudError"].Enum {
		if word != nil {
			described = append(described, *word)
		}
	}
	slices.Sort(described)
	if diff := cmp.Diff(want, described); diff != "" {
		t.Errorf("shared/nextcloud/reconcile (-) and docs/openapi.json (+) differ:\n%s", diff)
	}
}

// unanswered are the codes that no described call answers with: one is for
// plain HTTP, and one nobody is there to read.
var unanswered = []string{"bad_host", "client_closed_request"}

// TestDocument_UsesExistingCodes compares the codes that the document
// lists, each under a status, with those of the code.
func TestDocument_UsesExistingCodes(t *testing.T) {
	t.Parallel()
	want := collect(t).problems
	for _, code := range unanswered {
		delete(want, code)
	}
	got := map[string]int{}
	described := regexp.MustCompile(`"status": \{"const": (\d+)\},\s*"code": \{\s*"enum": \[([^\]]*)\]`)
	for _, m := range described.FindAllStringSubmatch(docs.OpenAPI(), -1) {
		status, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range regexp.MustCompile(`[a-z_]+`).FindAllString(m[2], -1) {
			status := status
			if code == "bad_code" && status == http.StatusBadRequest {
				status = http.StatusUnauthorized // both: a login has no token that clients would discard
			}
			if before, listed := got[code]; listed && before != status {
				t.Errorf("%s is listed under %d and under %d", code, before, status)
			}
			got[code] = status
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the code (-) and docs/openapi.json (+) differ:\n%s", diff)
	}
}
