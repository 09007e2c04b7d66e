package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/voiceassist/gateway/shared/foundation/defense"
)

// scan refuses what encoding/json accepts but the gateway does not, without
// building the value. It calls member with the name of each member of the
// outermost object.
func scan(body []byte, member func(name string)) error {
	text := string(body)
	switch {
	case !utf8.ValidString(text):
		return errMalformedJSON.Because(errors.New("not UTF-8"))
	case !json.Valid(body):
		return errMalformedJSON.Because(errors.New("not JSON"))
	case !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{"):
		return errMalformedJSON.Because(errors.New("not an object"))
	}
	s := scanner{text: text, member: member}
	return s.run()
}

// A scanner walks over valid JSON.
type scanner struct {
	text    string
	member  func(name string)
	open    []level  // open arrays and objects, outermost first
	names   []string // names of members seen so far in all open objects
	members int      // count of members outside the outermost object
	named   bool     // the next string is a name
}

// A level is an open array or object.
type level struct {
	object bool
	first  int             // index of its first name in scanner.names
	index  map[string]bool // its names, for an object with many
}

const (
	fewMembers = 16  // up to this number, names are compared one by one
	maxTracked = 100 // members of the outermost object that are checked for duplicates, more than any request has
)

func (s *scanner) run() error {
	for i := 0; i < len(s.text); i++ {
		switch c := s.text[i]; c {
		case '{', '[':
			if len(s.open) == defense.Limit(defense.BodyLimits, maxDepth) {
				return errMalformedJSON.Because(errors.New("nested too deeply"))
			}
			s.open = append(s.open, level{object: c == '{', first: len(s.names)})
			s.named = c == '{'
		case '}', ']':
			last := len(s.open) - 1
			s.names, s.open = s.names[:s.open[last].first], s.open[:last]
			s.named = false
		case ',':
			s.named = s.open[len(s.open)-1].object
		case '"':
			end, escaped, err := stringEnd(s.text, i)
			if err != nil {
				return err
			}
			if s.named {
				if err := s.name(s.text[i:end], escaped); err != nil {
					return err
				}
			}
			i, s.named = end-1, false
		}
	}
	return nil
}

// name handles the name of a member, given in its quotes.
func (s *scanner) name(quoted string, escaped bool) error {
	name := quoted[1 : len(quoted)-1]
	if escaped {
		if err := json.Unmarshal([]byte(quoted), &name); err != nil {
			return errMalformedJSON.Because(err)
		}
	}
	in := &s.open[len(s.open)-1]
	own := s.names[in.first:]
	if defense.BodyLimits && (in.index[name] || in.index == nil && slices.Contains(own, name)) {
		return errMalformedJSON.Because(fmt.Errorf("member %.40q twice", name))
	}
	if len(s.open) == 1 {
		if s.member(name); len(own) == maxTracked {
			return nil // some are unknown, so the request fails: their names need no memory
		}
	} else if s.members++; s.members > maxMembers {
		return errTooLarge.Because(errors.New("too many members"))
	}
	if in.index == nil && len(own) == fewMembers {
		in.index = make(map[string]bool, 2*fewMembers)
		for _, n := range own {
			in.index[n] = true
		}
	}
	if in.index != nil {
		in.index[name] = true
	}
	s.names = append(s.names, name)
	return nil
}

var errSurrogate = errMalformedJSON.Because(errors.New("a lone surrogate"))

// stringEnd returns the index after the string that begins at text[i], and
// whether it contains escapes. It refuses lone surrogates, which are not
// characters (RFC 7493 section 2.1): encoding/json would replace each with
// U+FFFD.
func stringEnd(text string, i int) (end int, escaped bool, err error) {
	for i++; text[i] != '"'; i++ {
		if text[i] != '\\' {
			continue
		}
		escaped = true
		i++
		if text[i] != 'u' {
			continue
		}
		r := codeUnit(text[i-1:])
		i += 4
		if utf16.IsSurrogate(r) {
			if utf16.DecodeRune(r, codeUnit(text[i+1:])) == utf8.RuneError {
				return 0, false, errSurrogate
			}
			i += 6
		}
	}
	return i + 1, escaped, nil
}

// codeUnit returns the UTF-16 code unit in the escape that text begins with, or
// -1.
func codeUnit(text string) rune {
	if !strings.HasPrefix(text, `\u`) {
		return -1
	}
	n, err := strconv.ParseUint(text[2:6], 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
