// Generate writes the Postman and Bruno collections of the folder clients from
// docs/openapi.json and the steps of steps.go: go run ./clients/generate clients.
package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/voiceassist/gateway/docs"
)

func main() {
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// write replaces the collections in the folder.
func write(dir string) error {
	files, err := generate(docs.OpenAPI())
	if err != nil {
		return err
	}
	for _, tool := range []string{"postman", "bruno"} {
		if err := os.RemoveAll(filepath.Join(dir, tool)); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		name, content := filepath.Join(dir, name), files[name]
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the content of every file, by its name.
func generate(openAPI string) (map[string]string, error) {
	d, all, err := operations(openAPI)
	if err != nil {
		return nil, err
	}
	c := collection{title: d.Info.Title, description: d.Info.Description, everyTest: d.everyTest()}
	used := map[string]bool{}
	for _, f := range steps() {
		list, err := requests(d, all, f)
		if err != nil {
			return nil, err
		}
		c.folders = append(c.folders, requestFolder{f.name, list})
		for _, s := range f.steps {
			used[s.operation] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if !used[id] {
			return nil, fmt.Errorf("steps.go has no step for the operation %s (%s %s)", id, all[id].method, all[id].path)
		}
	}
	files := bruno(c)
	maps.Copy(files, postman(c))
	return files, nil
}

// A collection is what the files of every tool are written from.
type collection struct {
	title, description string
	everyTest          []string // JavaScript that runs after every request, for Postman
	folders            []requestFolder
}

type requestFolder struct {
	name     string
	requests []request
}

// variables are the values that a collection starts with.
func variables() []field {
	return []field{
		{"base_url", "https://localhost:8443"},
		{"password", "correct horse battery staple"},
		{"new_password", "an entirely new passphrase"},
		{"admin_email", "root@example.com"},
	}
}

// An environment is a gateway that a collection can run against. The password of
// its administrator is a secret, and empty in the file.
type environment struct{ name, title, baseURL, adminEmail string }

func environments() []environment {
	return []environment{
		{"local", "VoiceAssist gateway: local (make run)", "https://localhost:8443", "root@example.com"},
		{"compose", "VoiceAssist gateway: containers (make up)", "https://localhost:8443", "root@example.com"},
		{"deployed", "VoiceAssist gateway: deployed (fill in)", "https://gateway.example.com", "admin@example.com"},
	}
}
