package dotenv

import (
	"regexp"
	"strings"
)

// Problems of references and escapes, with what to write instead.
const (
	badDollar = "has a $ that docker compose interprets: write ${NAME} for a variable, or " + quoteIt
	badBraces = "has an unsupported use of ${: write ${NAME}, or ${NAME:-text} with text without quotes, backslashes, $, { and }, or " + quoteIt
	badEscape = `has a \ in double quotes before a character other than n, r, t, ", $ or \: write \\, or ` + quoteIt
	badUnset  = "refers to a variable that is set neither above nor in the environment; " + quoteIt
)

// reference matches ${NAME}, also with an operator and its text.
var reference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+?])([^$"'\\{}\r\n]*))?\}`)

// escapes maps the escapes in double quotes to the characters.
var escapes = map[byte]string{'n': "\n", 'r': "\r", 't': "\t", '"': `"`, '$': "$", '\\': `\`}

// expand replaces references to variables. If escaped is set, as in double quotes,
// it also replaces escapes.
func (p *parser) expand(s string, escaped bool) (value, problem string) {
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, `$\`)
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i:]
		text, n := s[:1], 1
		switch {
		case s[0] == '$':
			if text, n, problem = p.dollar(s, escaped); problem != "" {
				return "", problem
			}
		case escaped:
			if text, n = escapes[s[1]], 2; text == "" {
				return "", badEscape
			}
		}
		b.WriteString(text)
		s = s[n:]
	}
	b.WriteString(s)
	return b.String(), ""
}

// dollar expands the $ at the start of s, with the reference that follows. It returns
// the replacement, and the length of the replaced text.
func (p *parser) dollar(s string, escaped bool) (text string, n int, problem string) {
	switch {
	case len(s) == 1:
		return "$", 1, ""
	case beginsName(s[1]), s[1] == '$', s[1] == '\\' && escaped: // \$ is $$ for compose
		return "", 0, badDollar
	case s[1] != '{':
		return "$", 1, ""
	}
	m := reference.FindStringSubmatch(s)
	if m == nil {
		return "", 0, badBraces
	}
	p.file.Used[m[1]] = true
	value, set := p.lookup(m[1])
	if !set {
		value, set = p.file.Vars[m[1]]
	}
	there := set && (value != "" || !strings.HasPrefix(m[2], ":"))
	switch operator := strings.TrimPrefix(m[2], ":"); {
	case operator == "+" && there, operator == "-" && !there:
		value = m[3]
	case operator == "+":
		// As in compose, the value, which is empty.
	case operator == "?" && !there, operator == "" && !set:
		return "", 0, badUnset
	}
	return value, len(m[0]), ""
}

func beginsName(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }

// unescape removes the backslash from each escaped char of s.
func unescape(s, char string) string { return strings.ReplaceAll(s, `\`+char, char) }
