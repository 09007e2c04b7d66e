package main

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/docs"
)

// TestGenerate_IsCommitted compares the committed collections with those that the
// description yields today.
func TestGenerate_IsCommitted(t *testing.T) {
	t.Parallel()
	want, err := generate(docs.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	found := committed(t)
	for name, text := range want {
		if found[name] != text {
			t.Errorf("clients/%s is not what the generator writes; run make clients", name)
		}
	}
	for name := range found {
		if _, known := want[name]; !known {
			t.Errorf("clients/%s is not written by the generator; run make clients", name)
		}
	}
}

// TestGenerate_HasEveryOperation looks for each operation of the description in the
// committed collections.
func TestGenerate_HasEveryOperation(t *testing.T) {
	t.Parallel()
	var d struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal([]byte(docs.OpenAPI()), &d); err != nil {
		t.Fatal(err)
	}
	var collection struct {
		Item []struct {
			Item []struct {
				Request struct {
					Method string
					URL    struct{ Raw string }
				}
			}
		}
	}
	requests := map[string][]string{}
	for name, text := range committed(t) {
		if strings.HasSuffix(name, ".postman_collection.json") {
			if err := json.Unmarshal([]byte(text), &collection); err != nil {
				t.Fatal(err)
			}
			for _, f := range collection.Item {
				for _, i := range f.Item {
					requests["Postman"] = append(requests["Postman"], i.Request.Method+" "+i.Request.URL.Raw)
				}
			}
		}
		if m := regexp.MustCompile(`(?m)^(get|post|put|patch|delete) \{\n  url: (.*)$`).FindStringSubmatch(text); m != nil {
			requests["Bruno"] = append(requests["Bruno"], strings.ToUpper(m[1])+" "+m[2])
		}
	}
	operations := 0
	for path, item := range d.Paths {
		rest := regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(path), `.+`)
		for method := range item {
			if method == "parameters" {
				continue
			}
			operations++
			request := regexp.MustCompile("^" + strings.ToUpper(method) + ` \{\{base_url\}\}` + rest + `(\?.*)?$`)
			for _, tool := range []string{"Postman", "Bruno"} {
				if !slices.ContainsFunc(requests[tool], request.MatchString) {
					t.Errorf("%s: no request matches %s", tool, request)
				}
			}
		}
	}
	if operations < 40 || len(requests["Postman"]) != len(requests["Bruno"]) {
		t.Errorf("%d operations, %d requests for Postman, %d for Bruno", operations, len(requests["Postman"]), len(requests["Bruno"]))
	}
}

// TestGenerate_HoldsTheSteps changes the description so that a step does not agree
// with it.
func TestGenerate_HoldsTheSteps(t *testing.T) {
	t.Parallel()
	type tree = map[string]any
	at := func(d tree, names ...string) tree {
		for _, name := range names {
			d, _ = d[name].(tree)
		}
		return d
	}
	for _, tt := range []struct {
		name   string
		change func(d tree)
		want   string
	}{
		{"an operation that no step calls", func(d tree) {
			at(d, "paths")["/new"] = tree{"get": tree{"operationId": "added"}}
		}, "steps.go has no step for the operation added (GET /new)"},
		{"an operation that is gone", func(d tree) {
			delete(at(d, "paths", "/health"), "get")
		}, `Service: no operation "health"`},
		{"a status that is not documented", func(d tree) {
			responses := at(d, "paths", "/api/auth/register", "post", "responses")
			responses["201"] = responses["200"]
			delete(responses, "200")
		}, "register documents no 200, only [201 400"},
		{"a code that is not documented", func(d tree) {
			content := at(d, "paths", "/api/auth/login", "post", "responses", "401", "content", "application/problem+json")
			at(content, "schema", "properties", "code")["enum"] = []string{"other"}
		}, "login documents no 401 with the code incorrect_credentials, only [other]"},
		{"a parameter that is gone", func(d tree) {
			at(d, "components", "parameters", "Limit")["name"] = "size"
		}, "listSessions takes no limit in the query"},
		{"a second example", func(d tree) {
			content := at(d, "paths", "/api/sessions", "post", "requestBody", "content", "application/json")
			at(content, "examples")["another"] = tree{"value": tree{}}
		}, "createSession has 2 examples of a request body; the step must give its own"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var d tree
			if err := json.Unmarshal([]byte(docs.OpenAPI()), &d); err != nil {
				t.Fatal(err)
			}
			tt.change(d)
			text, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := generate(string(text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
}

// TestWrite_ReplacesTheCollections writes into a folder where an older request lies.
func TestWrite_ReplacesTheCollections(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := filepath.Join(dir, "bruno", "01 Old", "01 Gone.bru")
	if err := os.MkdirAll(filepath.Dir(old), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	written, known := collections(t, dir), committed(t)
	if !maps.Equal(written, known) {
		t.Errorf("%d files, want the %d that are committed", len(written), len(known))
	}
}

// committed returns the content of every committed file of the collections.
func committed(t *testing.T) map[string]string {
	t.Helper()
	return collections(t, "..")
}

func collections(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, tool := range []string{"postman", "bruno"} {
		err := filepath.WalkDir(filepath.Join(dir, tool), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(dir, path)
			files[filepath.ToSlash(name)] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}
