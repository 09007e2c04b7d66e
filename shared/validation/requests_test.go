package validation_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/validation"
)

// TestRequests_HaveKnownTags reads the tags of every type of the functions: each
// has a rule or a message, is on a field that the validator sees, and names a
// field that there is. No request checks itself.
func TestRequests_HaveKnownTags(t *testing.T) {
	t.Parallel()
	tagged := 0
	err := filepath.WalkDir("../../functions", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv != nil && n.Name.Name == "Validate" {
					t.Errorf("%s: a request has a method Validate, which nobody calls", path)
				}
			case *ast.StructType:
				tagged += understood(t, path, n)
			}
			return true
		})
		return nil
	})
	if err != nil || tagged < 20 {
		t.Errorf("%d tagged fields, %v", tagged, err)
	}
}

// understood checks the tags of one struct and returns how many fields have any.
func understood(t *testing.T, path string, s *ast.StructType) (tagged int) {
	t.Helper()
	var names []string
	for _, f := range s.Fields.List {
		for _, name := range f.Names {
			names = append(names, name.Name)
		}
	}
	for _, f := range s.Fields.List {
		if f.Tag == nil {
			continue
		}
		text, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			t.Fatal(err)
		}
		tags, ok := reflect.StructTag(text).Lookup("validate")
		if !ok {
			continue
		}
		tagged++
		if len(f.Names) != 1 || !f.Names[0].IsExported() || reflect.StructTag(text).Get("json") == "" {
			t.Errorf("%s: %s is on a field that is no member", path, f.Tag.Value)
		}
		for tag := range strings.SplitSeq(tags, ",") {
			name, param, _ := strings.Cut(tag, "=")
			if tag == "omitempty" {
				continue
			}
			if !validation.Known(tag, name) {
				t.Errorf("%s: nothing is said of the tag %s", path, tag)
			}
			param, _, _ = strings.Cut(param, "|")
			for other := range strings.FieldsSeq(param) {
				if name != "oneof" && name != "max" && !slices.Contains(names, other) {
					t.Errorf("%s: %s names a field that there is not", path, tag)
				}
			}
		}
	}
	return tagged
}
