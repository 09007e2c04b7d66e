package version_test

import (
	"runtime/debug"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/version"
)

func TestOf(t *testing.T) {
	t.Parallel()
	const commit = "26b4cbc4ebc1d0f6a7c8b9a0e1f2d3c4b5a69788"
	for _, test := range []struct{ name, linked, stamped, revision, modified, want string }{
		{"a tag", "", "v1.2.3", commit, "false", "v1.2.3+26b4cbc4ebc1"},
		{"a tag, and changes", "", "v1.2.3+dirty", commit, "true", "v1.2.3+26b4cbc4ebc1.dirty"},
		{"a commit", "", "v0.0.0-20261128185115-26b4cbc4ebc1", commit, "false", "v0.0.0-20261128185115-26b4cbc4ebc1"},
		{"a commit, and changes", "", "v0.0.0-20261128185115-26b4cbc4ebc1+dirty", commit, "true", "v0.0.0-20261128185115-26b4cbc4ebc1+dirty"},
		{"a checkout that Go gives no version", "", "(devel)", commit, "true", "devel+26b4cbc4ebc1.dirty"},
		{"a module from a proxy", "", "v1.2.3", "", "", "v1.2.3"},
		{"no checkout", "", "(devel)", "", "", "devel"},
		{"nothing", "", "", "", "", "devel"},
		{"what the linker says", "v9", "v1.2.3", commit, "true", "v9"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			info := &debug.BuildInfo{Main: debug.Module{Version: test.stamped}}
			if test.revision != "" {
				info.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: test.revision}, {Key: "vcs.modified", Value: test.modified}}
			}
			if got := version.Of(test.linked, info); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if version.String() == "" {
		t.Error("no version")
	}
}
