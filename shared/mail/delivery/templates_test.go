package delivery

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/mail"
)

func TestTemplates_HaveOneLinkAndNoRemoteContent(t *testing.T) {
	t.Parallel()
	all, err := parseTemplates("")
	if err != nil {
		t.Fatal(err)
	}
	public := &url.URL{Scheme: "https", Host: "gateway.example"}
	remote := regexp.MustCompile(`(?i)<img|<script|<link|url\(|@import|<iframe`)
	for _, k := range mail.Kinds() {
		subjects := map[string]bool{}
		for _, language := range []string{"en", "de"} {
			m := mail.Message{Kind: k, Language: language, Recipient: "ada@example.org", Data: mail.Data{NewEmail: "new@example.org"}}
			l, err := all.render(m, public, "TOKEN", noon)
			if err != nil {
				t.Fatal(err)
			}
			subjects[l.subject] = true
			want := "https://gateway.example" + k.Page() + "#TOKEN"
			if got := link.FindAllString(l.text, -1); len(got) != 1 || got[0] != want {
				t.Errorf("%s.%s.txt: links %v, want %s", k, language, got, want)
			}
			if n := strings.Count(l.html, "href="); n != 1 || !strings.Contains(l.html, `href="`+want+`"`) || remote.MatchString(l.html) {
				t.Errorf("%s.%s.html: %s", k, language, l.html)
			}
		}
		if len(subjects) != 2 {
			t.Errorf("%s: the subjects are %v", k, subjects)
		}
		if l, err := all.render(mail.Message{Kind: k, Language: "xx", Recipient: "ada@example.org"}, public, "T", noon); err != nil || !strings.Contains(l.html, `lang="en"`) {
			t.Errorf("%s in an unknown language: %v", k, err)
		}
	}
}

func TestTemplates_AreReplacedFromAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("reset-password.fr.txt", "Subject: Nouveau mot de passe\n\n{{.Link}}\n")
	if _, err := parseTemplates(dir); err == nil || !strings.Contains(err.Error(), "reset-password.fr.html") {
		t.Errorf("a text without HTML: got %v", err)
	}
	write("reset-password.fr.html", `{{define "content"}}<a href="{{.Link}}">ici</a>{{end}}`)
	all, err := parseTemplates(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := all.render(mail.Message{Kind: mail.ResetPassword, Language: "fr"}, &url.URL{Host: "gateway.example"}, "T", noon)
	if err != nil || l.subject != "Nouveau mot de passe" {
		t.Errorf("got %+v, %v", l, err)
	}
	write("reset-password.fr.txt", "Subject: {{.Password}}\n")
	if _, err := parseTemplates(dir); err == nil {
		t.Error("a template with an unknown field was accepted")
	}
}
