package test_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A block is one fenced block of commands on a page.
type block struct {
	line   int    // the line of the page on which it begins
	text   string // the commands
	notRun string // why a test cannot run it; empty if one does
	exit   int    // the status of its last command
	lang   string // of the output that the page shows for it, "json" or "text"; empty if it shows none
	output string // that output
}

// The reasons for which a page may exclude a block of commands from the tests.
var notRunReasons = []string{"needs Docker", "needs Kubernetes", "needs AWS", "needs root", "needs a Nextcloud server", "needs a published release", "needs cosign"}

var (
	fence     = regexp.MustCompile("^( *)(```+)(\\S*) *$")
	directive = regexp.MustCompile(`^ *<!-- (not run|exits with): (.*) -->$`)
)

// blocks returns the blocks of commands of a Markdown page, in order. Commands are fenced
// as sh. A block of json or text that follows immediately, or after a line that ends with
// a colon, is their output. A comment on the line before the commands says why they are
// not run (<!-- not run: needs Docker -->), or the status with which the last one exits
// (<!-- exits with: 1 -->).
func blocks(tb testing.TB, name, page string) (all []block) {
	tb.Helper()
	var (
		next   block // what comments say about the next block
		follow bool  // nothing came after the last block of commands yet
		bare   []int // lines of blocks without a language
	)
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		if found := directive.FindStringSubmatch(lines[i]); found != nil {
			next.direct(tb, name, i+1, found[1], found[2])
			continue
		}
		open := fence.FindStringSubmatch(lines[i])
		if open == nil {
			if line := strings.TrimSpace(lines[i]); line != "" {
				next, follow = block{}, follow && strings.HasSuffix(line, ":")
			}
			continue
		}
		begin, text := i+1, ""
		for i++; i < len(lines) && strings.TrimSpace(lines[i]) != open[2]; i++ {
			text += strings.TrimPrefix(lines[i], open[1]) + "\n"
		}
		switch lang := open[3]; {
		case lang == "sh":
			next.line, next.text = begin, text
			all = append(all, next)
		case (lang == "json" || lang == "text") && follow:
			all[len(all)-1].lang, all[len(all)-1].output = lang, text
		case slices.Contains([]string{"bash", "shell", "console", "shell-session"}, lang):
			tb.Errorf("%s:%d: commands are fenced as %s, want sh", name, begin, lang)
		case lang == "":
			bare = append(bare, begin)
		}
		next, follow = block{}, open[3] == "sh"
	}
	if len(all) > 0 && len(bare) > 0 { // they could hide commands
		tb.Errorf("%s: blocks without a language at lines %v", name, bare)
	}
	return all
}

// direct applies a comment to the block.
func (b *block) direct(tb testing.TB, name string, line int, word, value string) {
	tb.Helper()
	if word == "not run" {
		if b.notRun = value; !slices.Contains(notRunReasons, value) {
			tb.Errorf("%s:%d: %q is not a reason to exclude a block; the reasons are %q", name, line, value, notRunReasons)
		}
		return
	}
	var err error
	if b.exit, err = strconv.Atoi(value); err != nil {
		tb.Errorf("%s:%d: %q is not an exit status", name, line, value)
	}
}

// differing lists the parts of an output that differ from run to run.
var differing = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`"(access_token|refresh_token|correlation_id|kid|etag|device|address|app_password)":( ?)"(\\.|[^"\\])*"`), `"$1":$2"*"`},
	{regexp.MustCompile(`"nextcloud_user_id":( ?)(null|"[^"]*")`), `"nextcloud_user_id":$1*`},
	{regexp.MustCompile(`"(latency_ms|took_ms|\w+_remaining_seconds)":( ?)[\d.]+`), `"$1":$2*`},
	{regexp.MustCompile(`("refresh_expires_in": ?|Max-Age=)(6047[4-9]\d|604800)\b`), "$1*"}, // a week, less a minute
	{regexp.MustCompile(`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "*"},              // an id
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "*"},                  // a time
	{regexp.MustCompile(`\bv\d+\.\d+\.\d+(-[\w.]+)?(\+[\w.]+)?|\bdevel\b`), "*"},            // a version
	{regexp.MustCompile(`\b127\.0\.0\.1:\d+`), "127.0.0.1:*"},
	{regexp.MustCompile(`(?m)[ \t\r]+$`), ""},
	{regexp.MustCompile(`  +`), " "}, // the width of a column
}

// comparable returns an output without the parts that differ from run to run, and JSON
// with one value on each line.
func comparable(lang, output string) string {
	if lang == "json" {
		output = indented(output)
	}
	for _, d := range differing {
		output = d.pattern.ReplaceAllString(output, d.as)
	}
	return strings.TrimSpace(output) + "\n"
}

// indented returns the JSON documents in text, indented by two spaces, or text itself if
// it is anything else.
func indented(text string) string {
	var out bytes.Buffer
	for all := json.NewDecoder(strings.NewReader(text)); ; out.WriteByte('\n') {
		var document json.RawMessage
		err := all.Decode(&document)
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil || json.Indent(&out, document, "", "  ") != nil {
			return text
		}
	}
}

// matches reports whether commands printed what the page shows. On the page, … stands for
// any text within a line, and a line that is only … for any lines.
func (b block) matches(got string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(comparable(b.lang, b.output)) {
		if strings.TrimSpace(line) == "…" {
			pattern.WriteString(`(.*\n)*`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*"))
	}
	return regexp.MustCompile(`\A` + pattern.String() + `\z`).MatchString(comparable(b.lang, got))
}

func TestBlock_Matches(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, lang, shown, got string
		want                   bool
	}{
		{"the same text", "text", "ok\n", "ok\n", true},
		{"another text", "text", "ok\n", "no\n", false},
		{"more text", "text", "ok\n", "ok\nand more\n", false},
		{"any text within a line", "text", "ada … admin\n", "ada is admin\n", true},
		{"no text beyond a line", "text", "ada …\n", "ada is\nadmin\n", false},
		{"any lines", "text", "first\n…\nlast\n", "first\n1\n2\nlast\n", true},
		{"no lines are any lines", "text", "first\n…\nlast\n", "first\nlast\n", true},
		{"an id", "text", "created 019ab3f0-6c1e-7d3a-9c55-0242ac120002\n", "created 11111111-2222-7333-8444-555555555555\n", true},
		{"wider columns", "text", "NAME  SINCE\n", "NAME    SINCE\n", true},
		{"JSON in several lines", "json", "{\n  \"role\": \"user\"\n}\n", `{"role":"user"}`, true},
		{"JSON with another value", "json", `{"role":"user"}`, `{"role":"admin"}`, false},
		{"JSON with a member more", "json", `{"role":"user"}`, `{"role":"user","id":1}`, false},
		{"JSON of which a part is shown", "json", "{\n  \"role\": \"user\",\n  …\n}\n", `{"role":"user","id":1,"email":"a"}`, true},
		{"a token", "json", `{"access_token":"eyJ…"}`, `{"access_token":"other"}`, true},
		{"a time that is not there", "json", `{"last_login":"2026-11-24T09:00:01.5Z"}`, `{"last_login":null}`, false},
	} {
		if got := (block{lang: test.lang, output: test.shown}).matches(test.got); got != test.want {
			t.Errorf("%s: got %t, want %t", test.name, got, test.want)
		}
	}
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	got := blocks(t, "page.md", strings.ReplaceAll(`
~~~sh
first
~~~
The response:

~~~json
{}
~~~

~~~json
{"an": "example"}
~~~

<!-- not run: needs Docker -->
~~~sh
second
~~~

1. In a list:

   <!-- exits with: 2 -->
   ~~~sh
   third \
     --flag
   ~~~

   ~~~text
   output
   ~~~
`, "~~~", "```"))
	want := []block{
		{line: 2, text: "first\n", lang: "json", output: "{}\n"},
		{line: 16, text: "second\n", notRun: "needs Docker"},
		{line: 23, text: "third \\\n  --flag\n", exit: 2, lang: "text", output: "output\n"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
