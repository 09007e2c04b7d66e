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
	maxInput = 8 * MaxEmail // bytes; full-width letters take three times as many as others
)

// Why an e-mail address is invalid. All are [ErrBadEmail].
var (
	errLongEmail = ErrBadEmail.WithDetail("Must be at most 254 bytes long, at most 64 of them before the @, with the domain in its ASCII form.")
	errDomain    = ErrBadEmail.WithDetail("Must have a valid domain name after the @.")
	errDirection = ErrBadEmail.WithDetail("Must not mix writing directions before the @.")
)

// An Email is an addr-spec (RFC 5322 section 3.4.1) in canonical form, so that
// all spellings of a mailbox are equal. The local part follows the PRECIS
// profile UsernameCaseMapped (RFC 8265 section 3.3). The domain is mapped to
// A-labels by UTS 46 and kept in U-labels, for people to read. Since every
// A-label has exactly one U-label (RFC 5890 section 2.3.2.1), two addresses are
// equal exactly if their [Email.ASCII] is.
type Email string

// ParseEmail returns the canonical form of s. It refuses quoted local parts,
// address literals and display names, which users do not log in with and which
// could hide look-alikes, and invisible and unassigned characters. It
// lower-cases the local part, deliberately unlike RFC 5321 section 2.4
// (docs/divergences.md).
func ParseEmail(s string) (Email, error) {
	if !utf8.ValidString(s) {
		return "", ErrBadEmail // the mapping below would make it valid
	}
	if len(s) > maxInput {
		return "", errLongEmail
	}
	s = width.Fold.String(norm.NFC.String(strings.TrimSpace(s))) // a full-width @ counts as @
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

// ASCII returns the address with its domain in A-labels (RFC 5891), for DNS and
// programs that know nothing else. The local part stays as it is.
func (e Email) ASCII() string {
	local, domain, _ := strings.Cut(string(e), "@")
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil { // stored before domains were mapped
		return string(e)
	}
	return local + "@" + ascii
}

// localPartProfile is UsernameCaseMapped (RFC 8265 section 3.3) without the
// Bidi Rule. [precis.UsernameCaseMapped] applies that rule to text without
// right-to-left letters as well, and therefore refuses "é_".
var localPartProfile = precis.NewIdentifier(precis.FoldWidth, precis.LowerCase(), precis.Norm(norm.NFC))

// followsBidiRule reports whether s follows the Bidi Rule (RFC 5893 section 2),
// which concerns text with right-to-left letters.
func followsBidiRule(s string) bool {
	return bidirule.DirectionString(s) == bidi.LeftToRight || bidirule.ValidString(s)
}

// parseLocal returns the canonical form of a local part. It lower-cases first:
// a letter with a lower-case form of several code points, such as İ, then
// becomes a single letter again, as in versions without a canonical form.
func parseLocal(s string) (string, error) {
	local, err := localPartProfile.String(strings.ToLower(s))
	if err != nil {
		return "", ErrBadEmail.WithDetail("Must not contain, before the @, " + describeRefused(s, localPartProfile) + ".").Because(err)
	}
	if !followsBidiRule(local) {
		return "", errDirection
	}
	return local, nil
}

// parseDomain returns a domain in U-labels and in A-labels. A label stays an
// A-label if its U-label contains symbols, as in domains with emoji, or is
// otherwise not allowed by RFC 5892.
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
		return ascii, ascii, nil //nolint:nilerr // the ASCII form is shown instead
	}
	return shown, ascii, nil
}

// An EmailLookup is an address to find an account by, whether or not it exists.
type EmailLookup struct {
	Email  Email // in canonical form; "" if new accounts may not have it
	Legacy Email // see [LegacyEmail]
}

// ParseEmailLookup parses s, or returns [ErrBadEmail] if no account can have
// such an address.
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

// Lookup returns the lookup for the account with that address.
func (e Email) Lookup() EmailLookup { return EmailLookup{Email: e, Legacy: e} }

// Key returns a text that is the same for all spellings of the address, for
// rate limits.
func (l EmailLookup) Key() string {
	if l.Email != "" {
		return string(l.Email)
	}
	return string(l.Legacy)
}

// LegacyEmail returns s as earlier versions without a canonical form kept it:
// in NFC and lower case. Those versions find accounts by it. It returns "" if s
// could not have been an address then.
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
