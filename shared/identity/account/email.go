package account

import (
	"net/mail"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

const (
	maxLocal = 64           // bytes; RFC 5321 section 4.5.3.1.1
	maxLabel = 63           // bytes of an A-label; RFC 1035 section 2.3.4
	maxInput = 8 * MaxEmail // bytes; full-width letters take three times the room of others
)

// What is wrong with an e-mail address. All are [ErrBadEmail].
var (
	errLongEmail = ErrBadEmail.Saying("Must be at most 254 bytes long, at most 64 of them before the @, with the domain in its ASCII form.")
	errDomain    = ErrBadEmail.Saying("Must have a valid domain name after the @.")
	errDirection = ErrBadEmail.Saying("Must not mix writing directions before the @.")
)

// An Email is a bare addr-spec (RFC 5322 section 3.4.1) in canonical form, so
// that two spellings of one mailbox are equal: before the @ the PRECIS profile
// UsernameCaseMapped (RFC 8265 section 3.3), after it a domain that was mapped
// by UTS 46 to A-labels and is kept in U-labels, for people to read. To every
// A-label belongs one U-label (RFC 5890 section 2.3.2.1), so addresses are equal
// exactly when their [Email.ASCII] is.
type Email string

// ParseEmail returns the canonical form of s. Quoted local parts, address
// literals and display names are refused: nobody signs in with them, and they
// hide look-alikes. So are characters that nobody can see and code points
// without a character. Lower-casing the local part departs from RFC 5321
// section 2.4 on purpose, see docs/divergences.md.
func ParseEmail(s string) (Email, error) {
	if !utf8.ValidString(s) {
		return "", ErrBadEmail // mapping would make it valid
	}
	if len(s) > maxInput {
		return "", errLongEmail
	}
	s = width.Fold.String(norm.NFC.String(strings.TrimSpace(s))) // a full-width @ is one, too
	local, domain, ok := strings.Cut(s, "@")
	if !ok || strings.ContainsAny(s, " \"[]()<>\\") {
		return "", ErrBadEmail
	}
	local, err := parseLocal(local)
	if err != nil {
		return "", err
	}
	shown, ascii, err := parseDomain(domain)
	if err != nil {
		return "", err
	}
	bare := local + "@" + ascii
	if len(bare) > MaxEmail || len(local) > maxLocal {
		return "", errLongEmail
	}
	if a, err := mail.ParseAddress(bare); err != nil || a.Name != "" || a.Address != bare {
		return "", ErrBadEmail
	}
	return Email(local + "@" + shown), nil
}

// ASCII returns the address with its domain in A-labels (RFC 5891), as DNS and
// programs that know no others take it. The part before the @ stays as it is.
func (e Email) ASCII() string {
	local, domain, _ := strings.Cut(string(e), "@")
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil { // kept since before domains were mapped
		return string(e)
	}
	return local + "@" + ascii
}

// localPartProfile is UsernameCaseMapped of RFC 8265 section 3.3 but for the Bidi
// Rule, which [precis.UsernameCaseMapped] applies to text without letters from
// right to left, too, and so refuses "é_".
var localPartProfile = precis.NewIdentifier(precis.FoldWidth, precis.LowerCase(), precis.Norm(norm.NFC))

// followsBidiRule reports whether s keeps the Bidi Rule of RFC 5893 section 2, which
// is about text with letters from right to left.
func followsBidiRule(s string) bool {
	return bidirule.DirectionString(s) == bidi.LeftToRight || bidirule.ValidString(s)
}

// parseLocal returns the canonical form of what is before the @. Letters that
// lower-case to several, as the capital İ does, become what they were before
// this form: one.
func parseLocal(s string) (string, error) {
	local, err := localPartProfile.String(strings.ToLower(s))
	if err != nil {
		return "", ErrBadEmail.Saying("Must not contain, before the @, " + describeRefused(s, localPartProfile) + ".").Because(err)
	}
	if !followsBidiRule(local) {
		return "", errDirection
	}
	return local, nil
}

// parseDomain returns the domain in U-labels and in A-labels. A label stays an
// A-label where its U-label has symbols, as domains with emoji do, or is
// otherwise none that RFC 5892 takes.
func parseDomain(s string) (shown, ascii string, err error) {
	ascii, err = idna.Lookup.ToASCII(s)
	if err != nil {
		return "", "", errDomain.Because(err)
	}
	labels := strings.Split(ascii, ".")
	for i, label := range labels {
		if label == "" || len(label) > maxLabel {
			return "", "", errDomain
		}
		u, err := idna.Lookup.ToUnicode(label)
		if same, wrong := localPartProfile.String(u); err == nil && wrong == nil && same == u {
			labels[i] = u
		}
	}
	shown = strings.Join(labels, ".")
	if back, err := idna.Lookup.ToASCII(shown); err != nil || back != ascii {
		return ascii, ascii, nil
	}
	return shown, ascii, nil
}

// A EmailLookup is what somebody typed to be found by, a known account or not.
type EmailLookup struct {
	Email  Email // in canonical form; "" where a new account may not have it
	Legacy Email // in Unicode NFC and lower case, as accounts kept it before there was a canonical form
}

// ParseEmailLookup returns whom s may mean, or [ErrBadEmail] where it can be nobody's
// address.
func ParseEmailLookup(s string) (EmailLookup, error) {
	e, err := ParseEmail(s)
	l := EmailLookup{Email: e, Legacy: LegacyEmail(s)}
	if l.Legacy == "" {
		l.Legacy = e
	}
	if l.Legacy == "" {
		return EmailLookup{}, err
	}
	return l, nil
}

// EmailLookup returns how to find the account with that address.
func (e Email) Lookup() EmailLookup { return EmailLookup{Email: e, Legacy: e} }

// Key returns the one text of all spellings of the address, for limits.
func (l EmailLookup) Key() string {
	if l.Email != "" {
		return string(l.Email)
	}
	return string(l.Legacy)
}

// LegacyEmail returns s as [ParseEmail] wrote it before there was a canonical form,
// which is what code of that time finds an account by; "" where it could not
// have been an address then.
func LegacyEmail(s string) Email {
	if !utf8.ValidString(s) || len(s) > maxInput {
		return ""
	}
	s = norm.NFC.String(strings.ToLower(norm.NFC.String(strings.TrimSpace(s))))
	if len(s) > MaxEmail || !strings.Contains(s, "@") || strings.IndexFunc(s, isControl) >= 0 {
		return ""
	}
	return Email(s)
}
