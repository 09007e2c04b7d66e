package dotenv_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	compose "github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/config/dotenv"
)

// environment is the environment of the process in these tests.
func environment(name string) (string, bool) {
	value, ok := map[string]string{"HOME": "/home/ada", "EMPTY": ""}[name]
	return value, ok
}

func TestParse_MatchesCompose(t *testing.T) {
	t.Parallel()
	type vars = map[string]string
	for _, test := range []struct {
		name, text string
		want       vars
	}{
		{"nothing", "", vars{}},
		{"comments and blank lines", "# A=1\n\n  \t# B=2\n", vars{}},
		{"a value up to the end of the line", "A=b c\nD=e", vars{"A": "b c", "D": "e"}},
		{"surrounding space", "  A \t= b \t\nC=\td", vars{"A": "b", "C": "d"}},
		{"no value", "A=\nB= \nC=''\nD=\"\"\nE=", vars{"A": "", "B": "", "C": "", "D": "", "E": ""}},
		{"more = and :", "A=b=c==\nU=postgres://u:p@h:5432/n?sslmode=verify-full", vars{"A": "b=c==", "U": "postgres://u:p@h:5432/n?sslmode=verify-full"}},
		{"as YAML", "A: b\nC : d:e", vars{"A": "b", "C": "d:e"}},
		{"export", "export A=b\nexport\tC=d\nexport=e", vars{"A": "b", "C": "d", "export": "e"}},
		{"names of other programs", "a.b-c_2=d\n1=2", vars{"a.b-c_2": "d", "1": "2"}},
		{"names without a value", "HOME\nNOWHERE\nA=b\nexport EMPTY\n", vars{"HOME": "/home/ada", "A": "b", "EMPTY": ""}},
		{"CRLF line endings", "A=b\r\nC='d'\r\nE=\"f\" # g\r\n\r\nHOME\r\nH=\r\n", vars{"A": "b", "C": "d", "E": "f", "HOME": "/home/ada", "H": ""}},
		{"a byte order mark", "\uFEFFA=b\n", vars{"A": "b"}},
		{"a trailing comment", "A=b # c\nD='e' # f\nG=\"h\"\t# i", vars{"A": "b", "D": "e", "G": "h"}},
		{"a # that does not begin a comment", "A=b#c\nD=#e\nF='g # h'\nI=\"j # k\"", vars{"A": "b#c", "D": "#e", "F": "g # h", "I": "j # k"}},
		{"quotes within", `A=it's "so"` + "\nB='say \"hi\"'\nC=\"it's\"", vars{"A": `it's "so"`, "B": `say "hi"`, "C": "it's"}},
		{"single quotes keep everything", `A='$HOME ${HOME} $$ \n \\ "'`, vars{"A": `$HOME ${HOME} $$ \n \\ "`}},
		{"a single quote in single quotes", `A='it\'s'` + "\n" + `B='\''`, vars{"A": "it's", "B": "'"}},
		{"escapes in double quotes", `A="a\nb\rc\td\"e\\f\$g"`, vars{"A": "a\nb\rc\td\"e\\f$g"}},
		{"backslashes without quotes", `A=a\nb\\c\`, vars{"A": `a\nb\\c\`}},
		{"a backslash at the end", `A="C:\\"`, vars{"A": `C:\`}},
		{"several lines", "A='b\n  c \n'\nD=\"e\nf\"\nG=h", vars{"A": "b\n  c \n", "D": "e\nf", "G": "h"}},
		{"PEM", "K='-----BEGIN X-----\nAB+/\nCD==\n-----END X-----\n'", vars{"K": "-----BEGIN X-----\nAB+/\nCD==\n-----END X-----\n"}},
		{"a $ without a variable", "A=pa$5word\nB=\"pa$5word$\"\nC=$ $. $-$", vars{"A": "pa$5word", "B": "pa$5word$", "C": "$ $. $-$"}},
		{"a variable", "A=${HOME}/x\nB=\"${A}/y\"\nC=${EMPTY}z", vars{"A": "/home/ada/x", "B": "/home/ada/x/y", "C": "z"}},
		{"the environment before the file", "HOME=/\nA=${HOME}", vars{"HOME": "/", "A": "/home/ada"}},
		{"the value of a variable is not expanded again", "A='${HOME}$$'\nB=${A}", vars{"A": "${HOME}$$", "B": "${HOME}$$"}},
		{"defaults", "A=${NO:-b c}${NO-d}${EMPTY:-e}${EMPTY-f}${HOME:-g}${HOME-h}", vars{"A": "b cde/home/ada/home/ada"}},
		{"alternatives", "A=${NO:+b}${NO+c}${EMPTY:+d}${EMPTY+e}${HOME:+f}${HOME+g}", vars{"A": "efg"}},
		{"required variables", "A=${HOME:?b}${EMPTY?c}${HOME?d}", vars{"A": "/home/ada/home/ada"}},
		{"an escaped variable", `A="\${HOME} \\${HOME}"`, vars{"A": `${HOME} \/home/ada`}},
		{"letters of other alphabets", "A=größer 😀\nB='é'", vars{"A": "größer 😀", "B": "é"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file, err := dotenv.Parse(".env", []byte(test.text), environment)
			if err != nil {
				t.Fatal(err)
			}
			got := file.Vars
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", test.text, diff)
			}
			theirs, err := asCompose(test.text)
			if diff := cmp.Diff(theirs, got); diff != "" || err != nil {
				t.Errorf("%q (-compose +ours): %v\n%s", test.text, err, diff)
			}
		})
	}
}

// asCompose parses text as docker compose does.
func asCompose(text string) (map[string]string, error) {
	// The trailing newline works around a name alone at the end of the file, which it
	// misreads.
	return compose.ParseWithLookup(strings.NewReader(text+"\n"), environment)
}

func TestParse_ErrorsNameVariableAndLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"a variable without braces", "A=pa$word", ".env:1: A has a $ that docker compose interprets"},
		{"in double quotes", "\nA=\"pa$word\"", ".env:2: A has a $ that"},
		{"two $, of which compose removes one", "A=pa$$5word", ".env:1: A has a $ that"},
		{"a variable that is not set", "A=b\nC=pa${word}", ".env:2: C refers to a variable that is set neither"},
		{"a variable that is set below", "C=${A}\nA=b", ".env:1: C refers to"},
		{"a required variable that is not set", "A=${NO:?b}", ".env:1: A refers to"},
		{"a required variable that is empty", "A=${EMPTY:?b}", ".env:1: A refers to"},
		{"unclosed braces", "A=pa${word", ".env:1: A has an unsupported use of ${"},
		{"braces around an invalid name", "A=pa${5}", ".env:1: A has an unsupported use of ${"},
		{"braces in braces", "A=${NO:-${HOME}}", ".env:1: A has an unsupported use of ${"},
		{"an operator that only shells have", "A=${HOME/a/b}", ".env:1: A has an unsupported use of ${"},
		{"a quote that is not closed", "A=b\nC='d\nE=f\n", ".env:2: C has an unclosed quote"},
		{"a backslash before the quote", `A='C:\'`, ".env:1: A has an unclosed quote"},
		{"text after the quote", `A="b"c`, ".env:1: A has text after the closing quote"},
		{"a second variable on the line", `A='b' C=d`, ".env:1: A has text after"},
		{"a comment that touches the quote", `A='b'#c`, ".env:1: A has text after"},
		{"a quote that another line closes", "A_B='c\nD_E='f", ".env:1: A_B has text after"},
		{"a variable within quotes", "A_B='c\nD_E='\n", ".env:1: A_B contains a line that sets another variable"},
		{"an invalid escape", `A="C:\data"`, `.env:1: A has a \ in double quotes`},
		{"an escape that compose reads as a bell", `A="C:\app"`, `.env:1: A has a \ in double quotes`},
		{"the same name twice", "A=b\n\nA=b", ".env:3: A is also set on line 1"},
		{"a value that is a comment", "A= # none yet", ".env:1: A begins with a # after a space"},
		{"a comment after a tab", "A=b\t# c", ".env:1: A has a # after a tab"},
		{"no variable", "A=b\nc d\n", ".env:2: not NAME=value"},
		{"a line of a value without quotes", "K=-----BEGIN X-----\nAB+/=\n-----END X-----", ".env:2: not NAME=value*.env:3: not NAME=value"},
		{"a space in a name", "A B=c", ".env:1: not NAME=value"},
		{"export without a name", "export\nexport \n", ".env:1: not NAME=value*.env:2: not NAME=value"},
		{"a $ before an escaped one", `A="$\$B"`, ".env:1: A has a $ that"},
		{"no name", "=c", ".env:1: not NAME=value"},
		{"a letter that only looks like one", "А=c", ".env:1: not NAME=value"}, // U+0410
		{"a space that is not ASCII before =", "A\u00A0=c", ".env:1: not NAME=value"},
		{"a space that is not ASCII at the end", "A=c\u00A0", ".env:1: A begins or ends with a non-ASCII space"},
		{"a space that is not ASCII at the beginning", "A=\u2003c", ".env:1: A begins or ends with a non-ASCII space"},
		{"UTF-16", "\xFF\xFEA\x00=\x00b\x00", ".env is in UTF-16; save it as UTF-8"},
		{"UTF-16 the other way round", "\xFE\xFF\x00A\x00=\x00b", ".env is in UTF-16; save it as UTF-8"},
		{"UTF-16 without a mark", "A\x00=\x00b\x00", ".env contains NUL characters and may be in UTF-16"},
		{"Latin-1", "A='gr\xF6\xDFer'", ".env:1: A is not UTF-8"},
		{"CR line endings", "A=b\rC=d\r", ".env:1: A contains a carriage return without a line feed"},
		{"a byte order mark within", "A=b\uFEFF\n", ".env:1: A contains a byte order mark"},
		{"concatenated files", "A=b\n\uFEFFC=d\n", ".env:2: not NAME=value"},
		{"an escape character", "A=\"b\x1b[0m\"", ".env:1: A contains a control character"},
		{"several mistakes", "A=$b\nC\nC=d\nE='f", ".env:1: A has a $ that*.env:3: C is also set on line 2*.env:4: E has an unclosed quote"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := dotenv.Parse(".env", []byte(test.text), environment)
			if err == nil {
				t.Fatalf("%q parses to %q", test.text, got.Vars)
			}
			lines, want := strings.Split(err.Error(), "\n"), strings.Split(test.want, "*")
			if len(lines) != len(want) {
				t.Fatalf("%q: %v; want %d mistakes", test.text, err, len(want))
			}
			for i := range want {
				if !strings.HasPrefix(lines[i], want[i]) {
					t.Errorf("%q: %s; want %s…", test.text, lines[i], want[i])
				}
			}
		})
	}
}

// TestParse_ErrorsQuoteNoSecret has a value in every rejected text, and looks for its parts in
// the errors.
func TestParse_ErrorsQuoteNoSecret(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"A=hunter$hunter", "A=${hunter}", "A=${hunter", "A=${HOME:?hunter}${NO:?hunter}", "A='hunter", `A="hunter"hunter`, `A="\hunter"`,
		"A= #hunter", "A=hunter\t#", "A=hunter\u00A0", "A='hunter\rhunter'", "A='hunter\xFF'", "hunter hunter=hunter", "hunter/hunter=", "A=x\nhunter hunter",
	} {
		_, err := dotenv.Parse(".env", []byte(text), environment)
		if err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%q: %v; want an error without the value", text, err)
		}
	}
}

// TestParse_ContinuesAfterAMistake checks that the valid lines of a file with mistakes are
// returned, so that all other mistakes in the settings can be reported too.
func TestParse_ContinuesAfterAMistake(t *testing.T) {
	t.Parallel()
	file, err := dotenv.Parse(".env", []byte("A=${HOME}\nKEY=pa$word\nno variable\n\nB=c\nB=d\nHOME"), environment)
	wrong, ok := errors.AsType[dotenv.Mistakes](err)
	if !ok || file == nil {
		t.Fatalf("got %v, %v", file, err)
	}
	var got []string
	for _, m := range wrong {
		got = append(got, fmt.Sprintf("%s %d %q", m.File, m.Line, m.Name))
	}
	if diff := cmp.Diff([]string{`.env 2 "KEY"`, `.env 3 ""`, `.env 6 "B"`}, got); diff != "" {
		t.Errorf("mistakes (-want +got):\n%s", diff)
	}
	want := &dotenv.File{
		Vars:  map[string]string{"A": "/home/ada", "KEY": "", "B": "d", "HOME": "/home/ada"},
		Lines: map[string]int{"A": 1, "KEY": 2, "B": 6, "HOME": 7},
		Used:  map[string]bool{"HOME": true},
	}
	if diff := cmp.Diff(want, file); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	if _, err := dotenv.Read(path, environment); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got %v, want fs.ErrNotExist", err)
	}
	for text, want := range map[string]string{"A=b": "", "A=$b": path + ":1: A has", strings.Repeat("#", 1<<20+1): "larger than 1048576 bytes"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := dotenv.Read(path, environment)
		if want == "" && (err != nil || file.Vars["A"] != "b") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.20q: %v, %v; want %q", text, file, err, want)
		}
	}
	if _, err := dotenv.Read(t.TempDir(), environment); err == nil {
		t.Error("Read of a folder succeeded")
	}
}

// FuzzParse checks that accepted files are read as docker compose reads them.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"A=b # c\nD='e'\nF=\"g\\n\"\n", "A=${HOME}${NO:-x}${EMPTY+y}", "export A: b\r\nHOME\r\n", "A='b\nc'\nD=${A:?x}", `A="\$\\\"${HOME}"`,
		"A=a$5$$\n", "\uFEFFA=\n", `A='it\'s\\'`, "A=b\u0085\nC=\v", "A=${B:-c}}d${E-f}", "A:=b\nC=:", "export\nA\n=b", `A="\"$\$B0"`, "export\r", "export\r=",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := dotenv.Parse(".env", text, environment)
		if err != nil {
			return
		}
		got := file.Vars
		theirs, err := asCompose(string(bytes.Clone(text)))
		if diff := cmp.Diff(theirs, got); diff != "" || err != nil {
			t.Errorf("%q (-compose +ours): %v\n%s", text, err, diff)
		}
	})
}
