// Package dotenv reads .env files the way docker compose does, which reads the
// same file. It accepts less: where the text may not mean what it says, the
// variable is refused with its line. A file that [Parse] accepts has the same
// values for both.
//
//	NAME=value              up to the end of the line, or to a # after a space
//	NAME='value'            as it stands, also over several lines; \' is a quote
//	NAME="value"            also over several lines; \n \r \t \" \\ \$ are escapes
//	NAME: value             the same as NAME=value
//	export NAME=value       the same as NAME=value
//	NAME                    as the environment has it
//	# comment
//
// Outside single quotes ${NAME} stands for another variable, of the environment
// or of a line above; ${NAME:-text}, ${NAME-text}, ${NAME:+text}, ${NAME+text},
// ${NAME:?text} and ${NAME?text} work as in a shell. Any other $ that could begin
// a variable is refused.
//
// No error quotes a value, or anything else that may be a part of one.
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

// maxSize bounds a file, in bytes; it is far more than all settings with
// certificates in them.
const maxSize = 1 << 20

// A Lookup returns a variable of the process's environment.
type Lookup func(name string) (value string, ok bool)

// A File is what a .env file says.
type File struct {
	Vars  map[string]string // the variables that it sets
	Lines map[string]int    // the line of each variable, also of a name without a value
	Used  map[string]bool   // the variables that values refer to
}

// A Mistake is one thing that is wrong in a file.
type Mistake struct {
	File    string
	Line    int
	Name    string // of the variable; "" where the line has no name
	Problem string
}

// Error returns the file, the line, the name and what is wrong.
func (m Mistake) Error() string {
	problem := m.Problem
	if m.Name != "" {
		problem = m.Name + " " + problem
	}
	return fmt.Sprintf("%s:%d: %s", m.File, m.Line, problem)
}

// Mistakes are everything that is wrong in a file.
type Mistakes []Mistake

// Error returns a line for each mistake.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.Error()
	}
	return strings.Join(lines, "\n")
}

// Read returns what the file at path says. The error is that of opening or
// reading it, or [Mistakes], see [Parse].
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

// Parse returns what text says; name is what errors call it. A UTF-8 byte order
// mark at its beginning is skipped. Where lines of it are wrong, the error is
// [Mistakes], and the file that comes with it has the other lines; it is for
// looking for more mistakes, and for nothing else.
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
	rest     string // what is not read yet
	line     int    // on which line that begins
	file     *File
	mistakes Mistakes
}

// skip moves n bytes on.
func (p *parser) skip(n int) {
	p.line += strings.Count(p.rest[:n], "\n")
	p.rest = p.rest[n:]
}

// takeLine returns the rest of the line and moves on to the next one.
func (p *parser) takeLine() string {
	line, _, _ := strings.Cut(p.rest, "\n")
	p.skip(min(len(line)+1, len(p.rest)))
	return strings.TrimSuffix(line, "\r")
}

// addMistake notes what is wrong with the statement that begins on the line; name is
// empty where it may not be a name.
func (p *parser) addMistake(line int, name, problem string) {
	p.mistakes = append(p.mistakes, Mistake{p.name, line, name, problem})
}

const blanks = " \t"

var (
	validName    = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`) // those of compose, as far as they are ASCII
	exportPrefix = regexp.MustCompile(`^export[ \t]+`)
	// setsAnother finds a line that sets a variable, of at least two words: one
	// could be the end of a text in base64.
	setsAnother = regexp.MustCompile(`\n[ \t]*(export[ \t]+)?[A-Z][A-Z0-9]*(_[A-Z0-9]+)+=`)
)

// statement reads one, and reports whether there was one.
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
	p.file.Vars[name] = value // also after a mistake: what refers to it is not one more
	return true
}

// cutAny is [strings.Cut] at the first of the characters.
func cutAny(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// value reads what follows the = of a variable.
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

// quoteIt is what to do about most values that are refused.
const quoteIt = `put the value in single quotes, and write \' for a single quote in it`

// quoted reads a value in quotes, and sees to it that nothing but a comment
// follows.
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

// closingQuote returns where the quote ends the value, or -1.
func closingQuote(s string, quote byte) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++ // of what is escaped
		case quote:
			return i
		}
	}
	return -1
}

// findInvisible says which characters of a value nobody can see.
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
