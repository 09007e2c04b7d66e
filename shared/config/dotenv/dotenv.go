// Package dotenv reads .env files in the same way as docker compose, which reads the
// same file. It is stricter: it rejects a variable, with its line, if the text may
// not mean what it seems to say. A file that [Parse] accepts has the same values for
// both. Start with [Read].
//
//	NAME=value              up to the end of the line, or to a # after a space
//	NAME='value'            literal, may span lines; \' is a quote
//	NAME="value"            may span lines; \n \r \t \" \\ \$ are escapes
//	NAME: value             the same as NAME=value
//	export NAME=value       the same as NAME=value
//	NAME                    the value in the environment
//	# comment
//
// Outside single quotes, ${NAME} is replaced by another variable, from the
// environment or a line above; ${NAME:-text}, ${NAME-text}, ${NAME:+text},
// ${NAME+text}, ${NAME:?text} and ${NAME?text} work as in a shell. Any other $ that
// could start a variable is rejected.
//
// No error quotes a value, or anything else that may be part of one.
package dotenv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSize limits a file, in bytes. All settings together need far less, even with
// certificates.
const maxSize = 1 << 20

// A Lookup returns a variable of the process's environment.
type Lookup func(name string) (value string, ok bool)

// A File is the content of a .env file.
type File struct {
	Vars  map[string]string // the variables that it sets
	Lines map[string]int    // the line of each variable, including names without a value
	Used  map[string]bool   // the variables that values refer to
}

// A Mistake is one error in a file.
type Mistake struct {
	File    string
	Line    int
	Name    string // of the variable; "" if the line has no name
	Problem string
}

// Error returns the file, the line, the name and the problem.
func (m Mistake) Error() string {
	problem := m.Problem
	if m.Name != "" {
		problem = m.Name + " " + problem
	}
	return fmt.Sprintf("%s:%d: %s", m.File, m.Line, problem)
}

// Mistakes are all errors in a file.
type Mistakes []Mistake

// Error returns a line for each mistake.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.Error()
	}
	return strings.Join(lines, "\n")
}

// Read parses the file at path. The error is that of opening or reading the file, or
// [Mistakes]; see [Parse].
func Read(path string, lookup Lookup) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxSize)
	}
	return Parse(path, text, lookup)
}

// Parse parses text; name identifies the file in errors. It skips a UTF-8 byte order
// mark. If lines are invalid, the error is [Mistakes], and the returned file has the
// other lines; use it only to look for more mistakes.
func Parse(name string, text []byte, lookup Lookup) (*File, error) {
	text = bytes.TrimPrefix(text, []byte("\uFEFF"))
	switch {
	case bytes.HasPrefix(text, []byte{0xFF, 0xFE}), bytes.HasPrefix(text, []byte{0xFE, 0xFF}):
		return nil, errors.New(name + " is in UTF-16; save it as UTF-8")
	case bytes.IndexByte(text, 0) >= 0:
		return nil, errors.New(name + " contains NUL characters and may be in UTF-16; save it as UTF-8")
	}
	p := &parser{name: name, rest: string(text), line: 1, lookup: lookup}
	p.file = &File{Vars: map[string]string{}, Lines: map[string]int{}, Used: map[string]bool{}}
	for p.statement() {
	}
	if p.mistakes != nil {
		return p.file, p.mistakes
	}
	return p.file, nil
}

type parser struct {
	name     string
	lookup   Lookup
	rest     string // the unread text
	line     int    // the line on which rest starts
	file     *File
	mistakes Mistakes
}

// skip skips n bytes.
func (p *parser) skip(n int) {
	p.line += strings.Count(p.rest[:n], "\n")
	p.rest = p.rest[n:]
}

// takeLine reads the rest of the line, including its end, which it does not return.
func (p *parser) takeLine() string {
	line, _, _ := strings.Cut(p.rest, "\n")
	p.skip(min(len(line)+1, len(p.rest)))
	return strings.TrimSuffix(line, "\r")
}

// addMistake records what is wrong with the statement that starts on the line. name
// is empty if the text may not be a name.
func (p *parser) addMistake(line int, name, problem string) {
	p.mistakes = append(p.mistakes, Mistake{p.name, line, name, problem})
}

const blanks = " \t"

var (
	validName    = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`) // the ASCII ones of compose
	exportPrefix = regexp.MustCompile(`^export[ \t]+`)
	// setsAnother matches a line that sets a variable with at least two words in its
	// name: one word could be the last line of base64.
	setsAnother = regexp.MustCompile(`\n[ \t]*(export[ \t]+)?[A-Z][A-Z0-9]*(_[A-Z0-9]+)+=`)
)

// statement reads one statement, and reports whether there was one.
func (p *parser) statement() bool {
	p.skip(len(p.rest) - len(strings.TrimLeft(p.rest, blanks+"\r\n")))
	if p.rest == "" {
		return false
	}
	if p.rest[0] == '#' {
		p.takeLine()
		return true
	}
	p.skip(len(exportPrefix.FindString(p.rest)))
	start := p.line
	line, _, _ := strings.Cut(p.rest, "\n")
	name, _, sets := cutAny(line, "=:")
	p.skip(min(len(name)+1, len(p.rest)))
	written := name
	name = strings.TrimRight(name, blanks+"\r")
	if !validName.MatchString(name) || name == "export" && (!sets || name != written) {
		if sets {
			p.takeLine()
		}
		p.addMistake(start, "", "not NAME=value; put a value of several lines in quotes")
		return true
	}
	if before, twice := p.file.Lines[name]; twice {
		p.addMistake(start, name, fmt.Sprintf("is also set on line %d", before))
	}
	p.file.Lines[name] = start
	if !sets {
		if value, ok := p.lookup(name); ok {
			p.file.Vars[name] = value
		}
		return true
	}
	value, problem := p.value()
	if problem != "" {
		p.addMistake(start, name, problem)
	}
	p.file.Vars[name] = value // even after a mistake, so that references to it are not mistakes, too
	return true
}

// cutAny is [strings.Cut] at the first of any of the characters.
func cutAny(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// value reads the value of a variable, after the = sign.
func (p *parser) value() (value, problem string) {
	spaces := len(p.rest) - len(strings.TrimLeft(p.rest, blanks))
	p.skip(spaces)
	if p.rest != "" && (p.rest[0] == '\'' || p.rest[0] == '"') {
		return p.quoted()
	}
	value = p.takeLine()
	if spaces > 0 && strings.HasPrefix(value, "#") {
		return "", "begins with a # after a space, which does not start a comment here; " + quoteIt
	}
	value, _, _ = strings.Cut(value, " #")
	value = strings.TrimRight(value, blanks)
	switch {
	case strings.Contains(value, "\t#"):
		return "", "has a # after a tab, which does not start a comment; " + quoteIt
	case strings.TrimSpace(value) != value:
		return "", "begins or ends with a non-ASCII space; " + quoteIt
	}
	if problem := findInvisible(value); problem != "" {
		return "", problem
	}
	return p.expand(value, false)
}

// quoteIt is the advice for most rejected values.
const quoteIt = `put the value in single quotes, and write \' for a single quote in it`

// quoted reads a value in quotes. Only a comment may follow it on the line.
func (p *parser) quoted() (value, problem string) {
	quote := p.rest[0]
	p.skip(1)
	end := closingQuote(p.rest, quote)
	if end < 0 {
		p.skip(len(p.rest))
		return "", "has an unclosed quote"
	}
	value = p.rest[:end]
	p.skip(end + 1)
	after := p.takeLine()
	comment := strings.TrimLeft(after, blanks)
	switch {
	case comment != "" && (comment[0] != '#' || comment == after):
		return "", `has text after the closing quote; write a quote in the value as \` + string(quote)
	case setsAnother.MatchString(value):
		return "", "contains a line that sets another variable; its closing quote may be missing"
	}
	if problem := findInvisible(value); problem != "" {
		return "", problem
	}
	if quote == '\'' {
		return unescape(value, "'"), ""
	}
	return p.expand(value, true)
}

// closingQuote returns the index of the quote that ends the value, or -1.
func closingQuote(s string, quote byte) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++ // skip the escaped character
		case quote:
			return i
		}
	}
	return -1
}

// findInvisible returns the problem if s contains invisible or invalid characters,
// or "".
func findInvisible(s string) string {
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			return "is not UTF-8"
		case r == '\uFEFF':
			return "contains a byte order mark"
		case r == '\r' && !strings.HasPrefix(s[i:], "\r\n"):
			return "contains a carriage return without a line feed"
		case unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r):
			return "contains a control character"
		}
	}
	return ""
}
