package reference_test

import (
	"cmp"
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
)

// verbs matches what fmt replaces in a format.
var verbs = regexp.MustCompile(`%[+#]?[sdqvtw]`)

// said is what the source can say to an operator.
type said struct {
	texts    []string // every literal, verbs replaced by …
	logged   []string // messages of log lines that can be of the level WARN or ERROR
	findings []string // of the doctor, that something is wrong
	cures    []string // errors that say what to do
}

// listen reads the source.
func listen(t *testing.T) said {
	t.Helper()
	var s said
	files := token.NewFileSet()
	for _, dir := range []string{"../../../../shared", "../../../../functions", "../../../../cmd"} {
		err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
			file = filepath.ToSlash(file)
			if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") ||
				regexp.MustCompile(`/(testdata|\w+test)/`).MatchString(file) {
				return err
			}
			parsed, err := parser.ParseFile(files, file, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok {
					if words := joined(e); words != "" {
						s.texts = append(s.texts, words)
					}
				}
				if call, ok := n.(*ast.CallExpr); ok {
					s.call(parsed.Name.Name, call)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// call notes what a call says.
func (s *said) call(pkg string, call *ast.CallExpr) {
	called, args := name(call.Fun), call.Args
	switch {
	case slices.Contains([]string{"Warn", "Error"}, called) && len(args) > 0:
		s.log(args[0])
	case slices.Contains([]string{"WarnContext", "ErrorContext"}, called) && len(args) > 1:
		s.log(args[1])
	case called == "LogAttrs" && len(args) > 2 && !slices.Contains([]string{"LevelInfo", "LevelDebug"}, name(args[1])):
		s.log(args[2])
	case pkg == "doctor" && slices.Contains([]string{"failed", "warning"}, called) && len(args) > 1:
		if words := joined(args[1]); strings.Trim(words, "… ") != "" {
			s.findings = append(s.findings, words)
		}
	case called == "Errorf" && isOf(call, "fmt"), called == "New" && isOf(call, "errors"):
		if words := joined(args[0]); cure.MatchString(words) {
			s.cures = append(s.cures, words)
		}
	}
}

// cure matches errors that say what to do about them.
var cure = regexp.MustCompile("(: |; |, )(run|set|stop|save|restart|wait|use|write|put|remove|delete|look|lower|raise|end|see) |`gateway [a-z]+ [a-z]")

// isOf reports whether a call is one of the package.
func isOf(call *ast.CallExpr, pkg string) bool {
	f, ok := call.Fun.(*ast.SelectorExpr)
	return ok && name(f.X) == pkg
}

// log notes the message of a log line.
func (s *said) log(message ast.Expr) {
	if words := joined(message); strings.Trim(words, "…") != "" {
		s.logged = append(s.logged, words)
	}
}

// joined returns the text of a literal, or of several that are added up, with …
// for what is only known when the program runs; empty where it is no text.
func joined(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		words, _ := documentText(e)
		return verbs.ReplaceAllString(words, "…")
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return ""
		}
		x, y := joined(e.X), joined(e.Y)
		if x == "" && y == "" {
			return ""
		}
		return cmp.Or(x, "…") + cmp.Or(y, "…")
	}
	return ""
}

// troubles returns the messages of docs/troubleshooting.md: the code in the first
// cells of its tables.
func troubles(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(string(page), -1) {
		for _, code := range regexp.MustCompile("``(.+?)``|`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			all = append(all, strings.TrimSpace(code[1]+code[2]))
		}
	}
	if len(all) < 100 {
		t.Fatalf("docs/troubleshooting.md has only %d messages", len(all))
	}
	return all
}

// TestTroubleshooting_HasEveryProblemCode wants an entry for each code that people
// cannot cure by another request alone.
func TestTroubleshooting_HasEveryProblemCode(t *testing.T) {
	t.Parallel()
	listed := troubles(t)
	statuses := []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests}
	for code, status := range collect(t).problems {
		if (status >= 500 || slices.Contains(statuses, status)) && !slices.Contains(listed, code) {
			t.Errorf("docs/troubleshooting.md has no entry for %s (%d)", code, status)
		}
	}
}

// TestTroubleshooting_HasEveryMessage wants an entry for each line that the log can
// have at level WARN or ERROR, each finding of the doctor, and each error that says
// what to do. An entry may be the beginning of a message.
func TestTroubleshooting_HasEveryMessage(t *testing.T) {
	t.Parallel()
	var listed []*regexp.Regexp
	for _, entry := range troubles(t) {
		listed = append(listed, quote(entry))
	}
	source := listen(t)
	for what, messages := range map[string][]string{
		"the log line": source.logged, "the finding": source.findings, "the error": source.cures,
	} {
		if len(messages) < 5 {
			t.Errorf("%s was found only %d times", what, len(messages))
		}
		for _, m := range messages {
			if !slices.ContainsFunc(listed, func(entry *regexp.Regexp) bool { return entry.MatchString(m) }) {
				t.Errorf("docs/troubleshooting.md has no entry for %s %q", what, m)
			}
		}
	}
}

// TestTroubleshooting_QuotesOnlyExistingMessages has each message of the page in the
// source.
func TestTroubleshooting_QuotesOnlyExistingMessages(t *testing.T) {
	t.Parallel()
	texts := slices.Compact(slices.Sorted(slices.Values(listen(t).texts)))
	codes := slices.Collect(maps.Keys(collect(t).problems))
	for _, entry := range troubles(t) {
		if !slices.Contains(codes, entry) && !slices.ContainsFunc(texts, quote(entry).MatchString) {
			t.Errorf("docs/troubleshooting.md quotes %s, which the source does not say", strconv.Quote(entry))
		}
	}
}

// quote returns what the messages match that an entry quotes: … in it stands for
// any text, and one of several words may end before the message does.
func quote(entry string) *regexp.Regexp {
	pattern := `\A` + strings.ReplaceAll(regexp.QuoteMeta(entry), "…", ".*")
	if !strings.Contains(entry, " ") {
		pattern += `\z`
	}
	return regexp.MustCompile(pattern)
}
