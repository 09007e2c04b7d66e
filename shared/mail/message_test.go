package mail_test

import (
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/mail"
)

func TestLanguage(t *testing.T) {
	t.Parallel()
	for preferences, want := range map[document.Object]string{
		``:                        "",
		`{}`:                      "",
		`{"language":"de"}`:       "de",
		`{"language":"de-AT"}`:    "de",
		`{"language":"en_US"}`:    "en",
		`{"language":"DE"}`:       "de",
		`{"language":null}`:       "",
		`{"language":["de"]}`:     "",
		`{"language":"../../de"}`: "",
		`{"language":"deutsch"}`:  "",
	} {
		if got := mail.Language(preferences); got != want {
			t.Errorf("%s: got %q, want %q", preferences, got, want)
		}
	}
}

func TestMailbox_IsOneForAllItsAddresses(t *testing.T) {
	t.Parallel()
	for email, want := range map[account.Email]string{
		"ada@example.org":           "ada@example.org",
		"Ada+news@Example.org":      "ada@example.org",
		"ada+a+b@example.org":       "ada@example.org",
		"+ada@example.org":          "+ada@example.org",
		"ada@xn--bcher-kva.example": "ada@xn--bcher-kva.example",
	} {
		if got := mail.Mailbox(email); got != want {
			t.Errorf("%s: got %s, want %s", email, got, want)
		}
	}
}

func TestKinds_HaveAPageForTheirPurpose(t *testing.T) {
	t.Parallel()
	for _, k := range mail.Kinds() {
		if k.Page() == "" || k.Purpose().Lifetime() <= 0 {
			t.Errorf("%s: got page %q, lifetime %s", k, k.Page(), k.Purpose().Lifetime())
		}
	}
}
