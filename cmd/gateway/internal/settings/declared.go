package settings

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

// A declaration is what a package declares about a variable. Both are empty if the
// package decides after it has read the value.
type declaration struct{ standard, values string }

// A recorder is a [setting.Reader] that records declarations.
type recorder struct {
	setting.Reader

	declared map[string]declaration // by variable
}

// record loads the settings, and returns what they declare.
func record(declarations []setting.Settings) map[string]declaration {
	r := &recorder{
		Reader:   config.Map(map[string]string{"DATABASE_URL": "postgres://user@localhost/name"}),
		declared: map[string]declaration{},
	}
	setting.Load(r, declarations...)
	return r.declared
}

func (r *recorder) note(name, standard, values string) {
	if standard != "" {
		r.declared[name] = declaration{standard, values}
	}
}

// String implements [setting.Reader].
func (r *recorder) String(name, def string) string {
	r.note(name, def, "")
	return r.Reader.String(name, def)
}

// Int implements [setting.Reader].
func (r *recorder) Int(name string, def, lo, hi int) int {
	r.note(name, strconv.Itoa(def), fmt.Sprintf("%d to %d", lo, hi))
	return r.Reader.Int(name, def, lo, hi)
}

// Bool implements [setting.Reader].
func (r *recorder) Bool(name string, def bool) bool {
	r.note(name, strconv.FormatBool(def), "`true`, `false`")
	return r.Reader.Bool(name, def)
}

// OneOf implements [setting.Reader].
func (r *recorder) OneOf(name string, allowed ...string) string {
	r.note(name, allowed[0], "`"+strings.Join(allowed, "`, `")+"`")
	return r.Reader.OneOf(name, allowed...)
}
