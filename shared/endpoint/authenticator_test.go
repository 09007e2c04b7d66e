package endpoint_test

import (
	"errors"
	"net/http"
	"regexp"
	"testing"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
)

var severalTokens = fault.New(fault.Malformed, "several_tokens", "")

func TestBearer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		lines []string
		want  string
		err   error
	}{
		{"a token", []string{"Bearer a.b-c_d~e+f/g=="}, "a.b-c_d~e+f/g==", nil},
		{"the scheme in lower case", []string{"bearer x"}, "x", nil},
		{"the scheme in any case", []string{"bEaReR x"}, "x", nil},
		{"several blanks", []string{"Bearer   x"}, "x", nil},
		{"trailing blanks", []string{"Bearer x  "}, "x", nil},
		{"no header", nil, "", nil},
		{"an empty header", []string{""}, "", nil},
		{"the scheme alone", []string{"Bearer"}, "", nil},
		{"the scheme and a blank", []string{"Bearer "}, "", nil},
		{"another scheme", []string{"Basic dXNlcjp4"}, "", nil},
		{"a longer scheme", []string{"Bearers x"}, "", nil},
		{"a token without a scheme", []string{"x"}, "", nil},
		{"a blank before the scheme", []string{" Bearer x"}, "", nil},
		{"a tab is not a blank", []string{"Bearer\tx"}, "", nil},
		{"a colon is not a blank", []string{"Bearer:x"}, "", nil},
		{"look-alike letters", []string{"Be\u0430rer x"}, "", nil},
		{"two tokens in one header are one invalid token", []string{"Bearer x y"}, "x y", nil},
		{"two headers joined by a proxy are one invalid token", []string{"Bearer x, Bearer y"}, "x, Bearer y", nil},
		{"two headers", []string{"Bearer x", "Bearer y"}, "", severalTokens},
		{"the same header twice", []string{"Bearer x", "Bearer x"}, "", severalTokens},
		{"two headers, one of another scheme", []string{"Basic dXNlcjp4", "Bearer x"}, "", severalTokens},
		{"two headers, one empty", []string{"", "Bearer x"}, "", severalTokens},
	} {
		got, err := bearer(test.lines...)
		if got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: got %q, %v, want %q, %v", test.name, got, err, test.want, test.err)
		}
	}
}

// FuzzBearer compares the parser with the grammar of RFC 6750 section 2.1 as read by RFC 9110
// section 11: the scheme in any case, one or more blanks, and a token; the verifier checks the
// characters of the token.
func FuzzBearer(f *testing.F) {
	f.Add("Bearer a.b-c_d~e+f/g==")
	f.Add("bEARER   x ")
	f.Add("Bearer\tx")
	f.Add("Basic dXNlcjp4")
	f.Add("Bearer x, Bearer y")
	grammar := regexp.MustCompile(`(?s)^[Bb][Ee][Aa][Rr][Ee][Rr] +([^ ]|[^ ].*[^ ]) *$`)
	f.Fuzz(func(t *testing.T, line string) {
		want := ""
		if m := grammar.FindStringSubmatch(line); m != nil {
			want = m[1]
		}
		if got, err := bearer(line); err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", line, got, err, want)
		}
		for _, lines := range [][]string{{line, "Bearer x"}, {"Bearer x", line}, {line, line}} {
			if got, err := bearer(lines...); got != "" || !errors.Is(err, severalTokens) {
				t.Errorf("%q: got %q, %v, want a rejection", lines, got, err)
			}
		}
	})
}

// bearer returns the token of a request with these Authorization headers.
func bearer(lines ...string) (string, error) {
	return endpoint.Bearer(&http.Request{Header: http.Header{"Authorization": lines}})
}
