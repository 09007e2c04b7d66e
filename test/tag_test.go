package test_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestTag_TagsWhatIsReady tags releases in a scratch repository. Each unmet precondition
// is an error that leaves no tag.
func TestTag_TagsWhatIsReady(t *testing.T) {
	t.Parallel()
	c := newCheckout(t, "scripts/tag", "scripts/version", "Makefile")
	c.do("git", "branch", "--move", "main")
	c.write("CHANGELOG.md", `# Changelog

## Unreleased

## [1.3.0-rc.1] - 2026-12-02

## [1.2.3] - 2026-12-01

### Fixed

- A fault.

## [1.2.2] - 2026-11-30

- An older fault.
`)
	c.commit()

	tag := func(version string) (output string, err error) {
		cmd := exec.CommandContext(t.Context(), "make", "tag", "VERSION="+version)
		cmd.Dir, cmd.Env = c.dir, c.env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, tt := range []struct {
		name, version, want string
		before, after       []string // commands
	}{
		{"no version", "", "is not a version", nil, nil},
		{"two numbers", "1.2", "is not a version", nil, nil},
		{"a leading zero", "1.02.3", "is not a version", nil, nil},
		{"no section", "1.2.4", "CHANGELOG.md has no section", nil, nil},
		{"an empty section", "1.3.0-rc.1", "CHANGELOG.md has no section", nil, nil},
		{"another branch", "1.2.3", "not on fix", []string{"git", "checkout", "--quiet", "-b", "fix"}, []string{"git", "checkout", "--quiet", "main"}},
		{"no branch", "1.2.3", "not on a detached HEAD", []string{"git", "checkout", "--quiet", "--detach"}, []string{"git", "checkout", "--quiet", "main"}},
		{"a new file", "1.2.3", "has changes", []string{"touch", "new"}, []string{"rm", "new"}},
		{"a tag", "1.2.2", "the tag v1.2.2 exists", []string{"git", "tag", "v1.2.2"}, []string{"git", "tag", "--delete", "v1.2.2"}},
	} {
		if tt.before != nil {
			c.do(tt.before...)
		}
		if out, err := tag(tt.version); err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("%s: got %v and %q, want an error and %q", tt.name, err, out, tt.want)
		}
		if tt.after != nil {
			c.do(tt.after...)
		}
	}
	if tags := c.do("git", "tag"); tags != "" {
		t.Fatalf("failed commands left the tags %q", tags)
	}

	if out, err := tag("v1.2.3"); err != nil { // the v is optional
		t.Fatalf("%v: %s", err, out)
	}
	const want = "tag Version 1.2.3\n\n### Fixed\n\n- A fault."
	if got := c.do("git", "for-each-ref", "--format=%(objecttype) %(contents)", "refs/tags/v1.2.3"); got != want {
		t.Errorf("the tag is %q, want %q", got, want)
	}
	if got := c.do("scripts/version"); !strings.HasPrefix(got, "v1.2.3+") {
		t.Errorf("a build of the release has the version %s", got)
	}
}
