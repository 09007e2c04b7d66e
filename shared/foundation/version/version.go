// Package version returns the version of the gateway, for the command line, the log,
// the metrics and the OpenAPI document.
package version

import (
	"runtime/debug"
	"strings"
)

// unknown is the version of a build without a checkout and without a linked version.
const unknown = "devel"

// linked is set by the linker, for builds without the Git history:
//
//	-X github.com/voiceassist/gateway/shared/foundation/version.linked=$(scripts/version)
var linked string

// String returns the version with the commit, as set by the linker or as stamped by
// Go from the checkout.
//
//	v1.2.3+26b4cbc4ebc1                        a tag
//	v1.2.4-0.20261128185115-26b4cbc4ebc1       a commit after that tag
//	v0.0.0-20261128185115-26b4cbc4ebc1+dirty   a commit before any tag, with changes
//	devel                                      unknown
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return of(linked, info)
}

func of(linked string, info *debug.BuildInfo) string {
	if linked != "" {
		return linked
	}
	const hash = 12 // digits of a commit, as in Go's pseudo-versions
	stamped, dirty := strings.CutSuffix(info.Main.Version, "+dirty")
	if stamped == "" || stamped == "(devel)" {
		stamped = unknown
	}
	var commit string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(hash, len(s.Value))]
		case "vcs.modified":
			dirty = s.Value == "true"
		}
	}
	var more []string
	if !strings.HasSuffix(stamped, commit) {
		more = append(more, commit)
	}
	if dirty {
		more = append(more, "dirty")
	}
	if len(more) == 0 {
		return stamped
	}
	return stamped + "+" + strings.Join(more, ".")
}
