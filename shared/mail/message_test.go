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

func TestDeviceOf_SaysOnlyWordsOfAList(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                "Firefox, Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0": "Edge, Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1":   "Safari, iPhone",
		"curl/8.14.1": "curl",
		"You won! Claim it at https://thief.example\r\nBcc: all@example.org": "",
		"": "",
	} {
		if got := mail.DeviceOf(agent); got != want {
			t.Errorf("%s: got %q, want %q", agent, got, want)
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
