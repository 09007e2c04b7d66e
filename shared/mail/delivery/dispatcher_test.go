package delivery

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	gomail "github.com/wneessen/go-mail"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/mail/mailtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// A fixture is an outbox with a dispatcher and a clock.
type fixture struct {
	*testing.T
	*Dispatcher

	clock time.Time
	users int
}

func newFixture(t *testing.T, db *store.DB, over transport) *fixture {
	t.Helper()
	ring, err := keyring.New("a secret of 32 bytes, at the least!")
	if err != nil {
		t.Fatal(err)
	}
	public, err := url.Parse("https://gateway.example/base")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, clock: noon}
	f.Dispatcher, err = New(db, Settings{From: "VoiceAssist <gateway@example.org>", Public: public, Dir: t.TempDir()}, ring,
		func() time.Time { return f.clock })
	if err != nil {
		t.Fatal(err)
	}
	f.transport = over
	return f
}

// user returns a new account.
func (f *fixture) user(preferences string) account.Account {
	f.Helper()
	f.users++
	a := account.Account{
		ID: account.NewID(), Email: account.Email(fmt.Sprintf("user%d@example.org", f.users)), Role: account.User,
		Preferences: document.Object(preferences), CreatedAt: noon, UpdatedAt: noon,
	}
	if err := f.db.Update(f.Context(), func(tx *store.Tx) error { return tx.CreateAccount(f.Context(), a, "hash") }); err != nil {
		f.Fatal(err)
	}
	return a
}

// post adds a reset mail for a.
func (f *fixture) post(a account.Account) {
	f.Helper()
	err := f.db.Update(f.Context(), func(tx *store.Tx) error {
		added, err := new(mail.Outbox).Reset(f.Context(), tx, a, "hash", f.clock)
		if err == nil && !added {
			f.Error("the mail was not added")
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
}

// round runs one round of the loop, which need not succeed.
func (f *fixture) round() error {
	if f.pausing() {
		return nil
	}
	return f.RunBatch(f.Context())
}

func (f *fixture) backlog(waiting, dead, sent int) {
	f.Helper()
	b, err := f.db.MailBacklog(f.Context())
	if err != nil || b.Waiting != waiting || b.Dead != dead || b.Sent != sent {
		f.Errorf("got %+v, %v; want %d waiting, %d dead, %d sent", b, err, waiting, dead, sent)
	}
}

var link = regexp.MustCompile(`https://\S+`)

func TestDispatcher_SendsOverSTARTTLSWithAWorkingLink(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		office := mailtest.New(t, true)
		f := newFixture(t, db, transportTo(office, "smtp", ""))
		a := f.user(`{"language":"de-AT"}`)
		f.post(a)
		if err := f.round(); err != nil {
			t.Fatal(err)
		}
		f.backlog(0, 0, 1)
		got := office.Mails()
		if len(got) != 1 || !slices.Equal(office.Encrypted(), []bool{true}) || !slices.Equal(office.Users(), []string{"gateway"}) {
			t.Fatalf("got %d mails, encrypted %v, as %v", len(got), office.Encrypted(), office.Users())
		}
		h := got[0].Header
		if h.Get("To") != "<user1@example.org>" || h.Get("Auto-Submitted") != "auto-generated" || !strings.Contains(h.Get("Message-ID"), "@gateway.example>") {
			t.Errorf("got headers %v", h)
		}
		body := decoded(t, got[0].Body)
		if !strings.Contains(body, "Jemand") && !strings.Contains(body, "wurde ein neues Passwort angefordert") {
			t.Errorf("not in German: %s", body)
		}
		at := link.FindString(body)
		page, token, _ := strings.Cut(at, "#")
		if page != "https://gateway.example/base/reset-password" {
			t.Errorf("the link leads to %s", page)
		}
		id, err := f.codec.Decode(secret.String(token), linktoken.Reset, noon.Add(linktoken.ResetLifetime-time.Second))
		if err != nil {
			t.Fatalf("token %q: %v", token, err)
		}
		if _, who, err := db.LinkToken(t.Context(), id, linktoken.Reset, noon.Add(time.Minute)); err != nil || who.ID != a.ID {
			t.Errorf("the token is of %s, %v", who.ID, err)
		}
	})
}

// decoded undoes quoted-printable.
func decoded(t testing.TB, body io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(b), "=\r\n", "")
	return strings.NewReplacer("=3D", "=", "=3d", "=").Replace(text)
}

func TestDispatcher_RequiresTLSUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	plain := mailtest.New(t, false)
	for query, want := range map[string]int{"": 0, "starttls=required": 0, "starttls=off": 1} {
		s := transportTo(plain, "smtp", query)
		s.url.User = nil
		f := newFixture(t, storetest.SQLite(t), s)
		f.post(f.user(""))
		before := len(plain.Mails())
		err := f.round()
		if got := len(plain.Mails()) - before; got != want || (err == nil) != (want == 1) {
			t.Errorf("%q: %d mails were sent without encryption, %v", query, got, err)
		}
	}
	untrusted := mailtest.New(t, true)
	untrusted.Pool = nil
	f := newFixture(t, storetest.SQLite(t), transportTo(untrusted, "smtp", ""))
	f.post(f.user(""))
	if err := f.round(); err == nil || len(untrusted.Mails()) != 0 {
		t.Errorf("a server with an unknown certificate got %d mails, %v", len(untrusted.Mails()), err)
	}
	f.backlog(1, 0, 0)
}

func TestDispatcher_TemporaryAndPermanentFailures(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		office := mailtest.New(t, true)
		f := newFixture(t, db, transportTo(office, "smtp", ""))
		tries := map[string]int{}
		office.Answer(func(to string) error {
			tries[to]++
			switch {
			case to == "user1@example.org" && tries[to] <= 2:
				return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
			case to == "user2@example.org":
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
			}
			return nil
		}, nil)
		grey, unknown, third := f.user(""), f.user(""), f.user("")
		for _, a := range []account.Account{grey, unknown, third, grey} {
			f.post(a)
		}
		if err := f.round(); err != nil {
			t.Fatal(err)
		}
		f.backlog(2, 1, 1) // the second mail to the greylisted address waits for the first
		list, err := db.TroubledMails(t.Context(), 5)
		if err != nil || len(list) != 2 || !strings.Contains(list[0].LastError, "no such user") {
			t.Errorf("troubled: got %+v, %v", list, err)
		}
		for range 10 {
			f.clock = f.clock.Add(time.Minute)
			if err := f.round(); err != nil {
				t.Fatal(err)
			}
		}
		f.backlog(0, 1, 3)
		if tries["user2@example.org"] != 1 {
			t.Errorf("the unknown address was tried %d times, want 1", tries["user2@example.org"])
		}
	})
}

// A server that closes the connection in the middle of a mail (421) is down for all:
// the failure counts for no mail, and the others are not tried.
func TestDispatcher_OutageDuringAMailCountsForNone(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		office := mailtest.New(t, true)
		f := newFixture(t, db, transportTo(office, "smtp", ""))
		tried := 0
		office.Answer(func(string) error {
			tried++
			return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "shutting down"}
		}, nil)
		f.post(f.user(""))
		f.post(f.user(""))
		if err := f.round(); err == nil || tried != 1 {
			t.Errorf("%d mails were tried, %v; want 1 and an error", tried, err)
		}
		list, err := db.TroubledMails(t.Context(), 5)
		if err != nil || len(list) != 1 || list[0].Attempts != 0 {
			t.Errorf("got %+v, %v; want one mail without a counted attempt", list, err)
		}
		if !f.pausing() {
			t.Error("the loop does not pause")
		}
		f.backlog(2, 0, 0)
	})
}

// While the server is down for an hour, mails are written as always. Afterwards each is
// sent once, in order.
func TestDispatcher_ServerDownForAnHour(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		office := mailtest.New(t, true)
		f := newFixture(t, db, transportTo(office, "smtp", ""))
		office.Stop()
		var want []string
		attempts := 0
		for minute := range 60 {
			if minute%3 == 0 {
				a := f.user("")
				f.post(a)
				want = append(want, "<"+string(a.Email)+">")
			}
			if !f.pausing() {
				attempts++
				if err := f.RunBatch(t.Context()); err == nil {
					t.Fatal("the server is down, and a batch succeeded")
				}
			}
			f.clock = f.clock.Add(time.Minute)
		}
		f.backlog(len(want), 0, 0)
		office.Start()
		for range 3 {
			f.clock = f.clock.Add(time.Minute)
			if err := f.round(); err != nil {
				t.Fatal(err)
			}
		}
		f.backlog(0, 0, len(want))
		var got []string
		for _, m := range office.Mails() {
			got = append(got, m.Header.Get("To"))
		}
		if !slices.Equal(got, want) {
			t.Errorf("got mails to %v, want %v", got, want)
		}
	})
}

// A process that ends, or a connection that breaks, between sending and recording that
// makes the mail go out once more, with the same Message-ID, and not a third time.
func TestDispatcher_InterruptedMailIsRepeatedOnce(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		office := mailtest.New(t, true)
		f := newFixture(t, db, transportTo(office, "smtp", ""))
		f.post(f.user(""))
		office.Answer(nil, func() error { return mailtest.ErrCut })
		for range 5 {
			_ = f.round()
			f.clock = f.clock.Add(time.Hour)
		}
		got := office.Mails()
		if len(got) != 2 || got[0].Header.Get("Message-ID") != got[1].Header.Get("Message-ID") {
			t.Fatalf("the mail was sent %d times", len(got))
		}
		f.backlog(0, 1, 0)
	})
}

func TestDispatcher_DropsLinksThatNoLongerWork(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		office := mailtest.New(t, true)
		f := newFixture(t, db, transportTo(office, "smtp", ""))
		a := f.user("")
		f.post(a)
		disabled := true
		storetest.AsOperator(t, db, func(tx *store.Tx, by store.Actor) error {
			_, err := tx.ChangeAccount(t.Context(), by, a, store.Changes{Disabled: &disabled}, noon)
			return err
		})
		if err := f.round(); err != nil {
			t.Fatal(err)
		}
		f.backlog(0, 0, 0)
		if n := len(office.Mails()); n != 0 {
			t.Errorf("%d mails were sent to a disabled user", n)
		}
	})
}

func TestDispatcher_WritesFilesWithoutAServer(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mail")
	f := newFixture(t, storetest.SQLite(t), &folder{dir: dir})
	f.post(f.user(""))
	if err := f.round(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) != 1 {
		t.Fatalf("got %v, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(b), "Subject: Choose a new password") {
		t.Errorf("got %s, %v", b, err)
	}
	if link := regexp.MustCompile(`(?m)^https://gateway.example/base/reset-password#[\w-]{80}\r?$`); !link.Match(b) {
		t.Errorf("no line of %s is the link", b)
	}
	if info, err := os.Stat(files[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the mail: %v, %v", info.Mode(), err)
	}
}

// A subject or an address with line breaks must not become a header.
func TestMessage_HeadersCannotBeInjected(t *testing.T) {
	t.Parallel()
	f := newFixture(t, storetest.SQLite(t), &folder{dir: t.TempDir()})
	a := f.user("")
	for _, to := range []account.Email{"eve@example.org\r\nBcc: all@example.org", "eve@example.org\nBcc: all@example.org"} {
		m := mail.Message{ID: "id", Kind: mail.ResetPassword, Recipient: to, Token: linktoken.New(a.ID, linktoken.Reset, "", "", noon).ID}
		s := &sending{Dispatcher: f.Dispatcher, ctx: t.Context()}
		msg, err := s.message(m, noon)
		if err == nil && strings.Contains(raw(t, msg), "\nBcc:") {
			t.Errorf("%q: a header was injected", to)
		}
	}
}

func raw(t testing.TB, m *gomail.Msg) string {
	t.Helper()
	var b strings.Builder
	if _, err := m.WriteTo(&b); err != nil {
		return ""
	}
	return b.String()
}

func TestLoop_SendsWhenWoken(t *testing.T) {
	t.Parallel()
	office := mailtest.New(t, true)
	arrived := make(chan struct{}, 2)
	office.Answer(nil, func() error { arrived <- struct{}{}; return nil })
	f := newFixture(t, storetest.SQLite(t), transportTo(office, "smtp", ""))
	f.post(f.user(""))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { f.Loop(ctx); close(done) }()
	<-arrived
	f.post(f.user(""))
	f.Wake()
	<-arrived
	cancel()
	<-done
}
