package test_test

import (
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/mail/mailtest"
	"github.com/voiceassist/gateway/shared/store/sqlite"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// mailing returns the settings of a gateway that sends its mails to the office.
func mailing(office *mailtest.Office) []string {
	return []string{
		"SMTP_URL=smtp://" + office.Address + "?starttls=off", "MAIL_FROM=gateway@example.org",
		"PUBLIC_URL=https://gateway.example.org", "EMAIL_VERIFICATION=storage",
	}
}

// register registers somebody and returns how long that took.
func register(t *testing.T, p *process, email, name string) time.Duration {
	t.Helper()
	began := time.Now()
	if !call(p, "POST", "/api/auth/register", "", fmt.Sprintf(`{"email":%q,"password":"correct horse battery staple","full_name":%q}`, email, name), nil) {
		t.Fatalf("%s was not registered", email)
	}
	return time.Since(began)
}

// await waits until done returns true.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.After(answerTime); !done(); {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s did not happen", what)
		}
	}
}

// TestMail_AnOutageDelaysAndLosesNothing has a mail server that is down at first. Requests
// do not wait for it; afterwards every mail is sent once, in order. That the pauses grow to
// a minute and end with the outage, however long it is, is a test of package delivery.
func TestMail_AnOutageDelaysAndLosesNothing(t *testing.T) {
	t.Parallel()
	office := mailtest.New(t, false)
	office.Stop()
	p := start(t, t.TempDir(), nil, mailing(office)...)
	var want []string
	for i := range 6 {
		email := fmt.Sprintf("patient%d@example.org", i)
		if took := register(t, p, email, ""); took > answerTime/4 {
			t.Errorf("a registration took %v", took)
		}
		want = append(want, email)
	}
	await(t, "a failed attempt", func() bool { return strings.Contains(p.stdout.String(), "mails cannot be sent") })
	if out, code := command(t, p.cmd.Dir, "", nil, "user", "reset-password", "patient0@example.org"); code != 0 {
		t.Fatal(out)
	}
	want = append(want, "patient0@example.org")
	office.Start()
	await(t, "the last mail", func() bool { return len(office.Mails()) >= len(want) })
	var got, ids []string
	for _, m := range office.Mails() {
		got, ids = append(got, m.Header.Get("To")), append(ids, m.Header.Get("Message-Id"))
	}
	for i, to := range got {
		got[i] = strings.Trim(to, "<>")
	}
	if !slices.Equal(got, want) {
		t.Errorf("got mails to %q, want %q", got, want)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != len(want) {
		t.Errorf("mails share a Message-ID: %q", ids)
	}
	await(t, "that all are recorded as sent", func() bool {
		out, _ := command(t, p.cmd.Dir, "", nil, "mail", "status")
		return strings.HasPrefix(out, fmt.Sprintf("waiting 0, sent in the last day %d, dead 0\n", len(want)))
	})
}

// TestMail_KilledBeforeItIsRecorded kills the gateway when the mail server has the mail,
// twice. The mail is repeated once, as the same mail, and then given up.
func TestMail_KilledBeforeItIsRecorded(t *testing.T) {
	t.Parallel()
	office := mailtest.New(t, false)
	dir := t.TempDir()
	env := append(mailing(office), "JWT_SECRET="+keyring.Generate().Reveal())
	p := start(t, dir, nil, env...)
	arrived := make(chan struct{})
	office.Answer(nil, func() error {
		arrived <- struct{}{}
		<-arrived // until the gateway is dead
		return nil
	})
	register(t, p, "ada@example.org", "")
	for n := 1; n <= 2; n++ {
		select {
		case <-arrived:
		case <-time.After(answerTime):
			t.Fatalf("mail %d did not arrive", n)
		}
		p.kill()
		arrived <- struct{}{}
		await(t, "the mail", func() bool { return len(office.Mails()) == n })
		expireLeases(t, dir)
		p = start(t, dir, nil, env...)
	}
	await(t, "that the gateway gives up", func() bool {
		out, _ := command(t, dir, "", env, "mail", "status")
		return strings.Contains(out, "dead 1\n") && strings.Contains(out, "ada@example.org") && strings.Contains(out, "sent twice")
	})
	mails := office.Mails()
	if len(mails) != 2 || mails[0].Header.Get("Message-Id") != mails[1].Header.Get("Message-Id") {
		t.Errorf("got %d mails, want the same one twice", len(mails))
	}
}

// expireLeases stands for the two minutes after which another process takes over the
// mails that a killed one was about to send.
func expireLeases(t *testing.T, dir string) {
	t.Helper()
	db, err := sqlite.Open(filepath.Join(dir, "gateway.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Handle().ExecContext(t.Context(), "UPDATE mails SET lease_until = created_at WHERE lease IS NOT NULL"); err != nil {
		t.Fatal(err)
	}
}

// TestMail_NobodyWritesHeadersOrText registers with names and addresses that would add a
// recipient, a subject or a link. The gateway refuses them, or leaves them out.
func TestMail_NobodyWritesHeadersOrText(t *testing.T) {
	t.Parallel()
	office := mailtest.New(t, false)
	p := start(t, t.TempDir(), nil, mailing(office)...)
	for _, body := range []string{
		`{"email":"ada@example.org\r\nBcc: eve@evil.example","password":"correct horse battery staple"}`,
		`{"email":"\"a\\r\\nBcc: eve\"@example.org","password":"correct horse battery staple"}`,
		`{"email":"Eve <eve@evil.example>, ada@example.org","password":"correct horse battery staple"}`,
		`{"email":"ada@example.org","full_name":"Ada\r\nBcc: eve@evil.example","password":"correct horse battery staple"}`,
	} {
		if call(p, "POST", "/api/auth/register", "", body, nil) {
			t.Errorf("registered with %s", body)
		}
	}
	const lure = `{{.Link}} <a href="https://evil.example">Claim your prize at https://evil.example</a>`
	register(t, p, "ada+x=y@example.org", lure)
	await(t, "the mail", func() bool { return len(office.Mails()) == 1 })
	m := office.Mails()[0]
	expectOneRecipient(t, m, "<ada+x=y@example.org>")
	b, err := io.ReadAll(m.Body)
	if err != nil || strings.Contains(string(b), "evil.example") || strings.Contains(string(b), "prize") {
		t.Errorf("the mail has what a stranger wrote: %s, %v", b, err)
	}
	if links := strings.Count(string(b), "https://"); links != strings.Count(string(b), "https://gateway.example.org/verify#") || links == 0 {
		t.Errorf("the mail has other links than that of the gateway: %s", b)
	}
}

// expectOneRecipient fails the test unless m is to that address only.
func expectOneRecipient(t *testing.T, m *mail.Message, to string) {
	t.Helper()
	if got := m.Header["To"]; len(got) != 1 || got[0] != to || m.Header.Get("Cc") != "" || m.Header.Get("Bcc") != "" {
		t.Errorf("got the headers %v, want the recipient %s only", m.Header, to)
	}
}

// TestSchedule_SendsMails runs the mail function as deployed, beside the function that
// writes the mail.
func TestSchedule_SendsMails(t *testing.T) {
	t.Parallel()
	office := mailtest.New(t, false)
	h := newBackend(t)
	env := append(h.with(h.database), mailing(office)...)
	registers := faastest.Start(t, faastest.Build(t, "../functions/register/bootstrap"), env...)
	ask(t, registers, visit{"POST", "/api/auth/register", `{"email":"ada@example.org","password":"correct horse battery"}`, 200}, nil)
	sends := faastest.Start(t, faastest.Build(t, "../functions/mail/bootstrap"), env...)
	for range 2 { // the second run finds nothing to send
		if out, err := sends.Invoke(t.Context(), schedule(t)); err != nil || string(out) != "null" {
			t.Fatalf("the job returned %s, %v", out, err)
		}
	}
	if mails := office.Mails(); len(mails) != 1 || !strings.Contains(mails[0].Header.Get("To"), "ada@example.org") {
		t.Errorf("got the mails %v", mails)
	}
	sends.Shutdown()
	if log := sends.Log(); !strings.Contains(log, `"OldestMailSeconds":0`) || !strings.Contains(log, `"MailsDead":0`) {
		t.Errorf("the log has no metric OldestMailSeconds: %s", log)
	}
	db := storetest.OpenPostgres(t, h.database)
	defer db.Close()
	if b, err := db.MailBacklog(t.Context()); err != nil || b.Sent != 1 || b.Waiting != 0 {
		t.Errorf("got %+v, %v", b, err)
	}
}

// TestFunctions_WriteNotices changes the password in the users function with and without
// MAIL_NOTICES.
func TestFunctions_WriteNotices(t *testing.T) {
	t.Parallel()
	h := newBackend(t)
	db := storetest.OpenPostgres(t, h.database)
	defer db.Close()
	tokens := h.login(t) // a change of password keeps the login
	for _, step := range []struct {
		setting  string
		old, new string
		want     int
	}{
		{"false", strings.TrimSpace(rootPassword), "another horse battery staple", 0},
		{"true", "another horse battery staple", strings.TrimSpace(rootPassword), 1},
	} {
		p := faastest.Start(t, faastest.Build(t, "../functions/users/bootstrap"), append(h.with(h.database), "MAIL_NOTICES="+step.setting)...)
		body := `{"old_password":"` + step.old + `","new_password":"` + step.new + `"}`
		r, err := http.NewRequestWithContext(t.Context(), "POST", public+"/api/users/change-password", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+tokens["access"])
		resp, err := faastest.FrontV2.Client(p).RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("MAIL_NOTICES=%s: got %v, %v", step.setting, resp, err)
		}
		if b, err := db.MailBacklog(t.Context()); err != nil || b.Waiting != step.want {
			t.Errorf("MAIL_NOTICES=%s: got %+v, %v; want %d waiting", step.setting, b, err, step.want)
		}
	}
}
