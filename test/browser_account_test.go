package test_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// An accountWay is a gateway that writes its mails to files, and a browser with two kinds
// of tabs: one that calls the API, and those that follow links from mails.
type accountWay struct {
	mailbox

	process *process
	browser context.Context
	app     tab
}

// TestBrowser_Account takes an account from its registration through verification, a
// forgotten password and the second factor to an API key, and another one from its
// invitation to its first login, in Chromium. The mails are files, as on a laptop.
func TestBrowser_Account(t *testing.T) {
	t.Parallel()
	w := openAccountWay(t)
	const ada, forgotten, chosen = "ada@example.org", "correct horse battery staple", "staple battery horse correct"

	w.call(t, "register", "POST /api/auth/register", "", `{"email":"`+ada+`","password":"`+forgotten+`","full_name":"Ada"}`, 200)
	w.call(t, "log in early", "POST /api/auth/login", "", `{"email":"`+ada+`","password":"`+forgotten+`"}`, 403)
	w.follow(t, "verify-address", ada, "")
	w.call(t, "log in", "POST /api/auth/login", "", `{"email":"`+ada+`","password":"`+forgotten+`"}`, 200)

	w.call(t, "forget", "POST /api/auth/forgot-password", "", `{"email":"`+ada+`"}`, 202)
	w.follow(t, "reset-password", ada, chosen)
	w.call(t, "log in with the old password", "POST /api/auth/login", "", `{"email":"`+ada+`","password":"`+forgotten+`"}`, 401)
	tokens := w.call(t, "log in with the new password", "POST /api/auth/login", "", `{"email":"`+ada+`","password":"`+chosen+`"}`, 200)
	access := tokens["access_token"].(string)

	// Each code is of a later time step than the one before. None is of a past step, which
	// might be too long ago when the code arrives.
	setup := w.call(t, "set up a second factor", "POST /api/auth/2fa/setup", access, `{}`, 200)
	code := func(steps int) string {
		t.Helper()
		return codeAt(t, setup["manual_entry_key"].(string), steps)
	}
	w.call(t, "turn it on", "POST /api/auth/2fa/verify", access, `{"code":"`+code(0)+`"}`, 200)
	challenge := func() string {
		t.Helper()
		got := w.call(t, "log in", "POST /api/auth/login", "", `{"email":"`+ada+`","password":"`+chosen+`"}`, 200)
		if got["requires_2fa"] != true || got["access_token"] != nil {
			t.Fatalf("a login with the password alone got %v", got)
		}
		return got["user_id"].(string)
	}
	w.call(t, "log in with a code", "POST /api/auth/2fa/verify-login", "", `{"user_id":"`+challenge()+`","code":"`+code(1)+`"}`, 200)
	backup := func(n int) string { return setup["backup_codes"].([]any)[n].(string) }
	tokens = w.call(t, "log in with a backup code", "POST /api/auth/2fa/verify-login", "",
		`{"user_id":"`+challenge()+`","code":"`+backup(0)+`","is_backup_code":true}`, 200)
	access = tokens["access_token"].(string)

	created := w.call(t, "create a session", "POST /api/sessions", access, `{"title":"Lovelace","context":{}}`, 201)
	key := w.call(t, "create an API key", "POST /api/auth/api-keys", access,
		`{"name":"reader","scopes":["sessions:read"],"current_password":"`+chosen+`","code":"`+backup(1)+`"}`, 201)["key"].(string)
	if got := w.call(t, "read the session with the key", "GET /api/sessions/"+created["id"].(string), key, "", 200); got["title"] != "Lovelace" {
		t.Errorf("the key reads %v", got)
	}
	w.call(t, "change the password with the key", "POST /api/users/change-password", key,
		`{"old_password":"`+chosen+`","new_password":"`+forgotten+`"}`, 403)
	w.invitation(t)
}

// invitation lets the administrator invite somebody, who chooses a password on the page
// and logs in with it.
func (w *accountWay) invitation(t *testing.T) {
	t.Helper()
	const grace, first, chosen = "grace@example.org", "correct horse battery staple", "a compiler for everyone"
	root := w.call(t, "log in as the administrator", "POST /api/auth/login", "", `{"email":"root@example.org","password":"`+first+`"}`, 200)["access_token"].(string)
	if got := w.call(t, "invite", "POST /api/users/invite", root, `{"email":"`+grace+`","full_name":"Grace"}`, 201); got["is_active"] != false {
		t.Errorf("the invitation made %v", got)
	}
	w.call(t, "log in before accepting", "POST /api/auth/login", "", `{"email":"`+grace+`","password":"`+chosen+`"}`, 401)
	w.follow(t, "accept-invitation", grace, chosen)
	tokens := w.call(t, "log in with the chosen password", "POST /api/auth/login", "", `{"email":"`+grace+`","password":"`+chosen+`"}`, 200)
	if got := w.call(t, "who am I", "GET /api/users/me", tokens["access_token"].(string), "", 200); got["is_active"] != true || got["full_name"] != "Grace" ||
		got["email_verified_at"] == nil {
		t.Errorf("accepting made %v", got)
	}
}

func openAccountWay(t *testing.T) *accountWay {
	t.Helper()
	dir := t.TempDir()
	env := []string{"EMAIL_VERIFICATION=login", "PUBLIC_URL=" + public}
	if out, code := command(t, dir, "correct horse battery staple", env, "user", "create", "--admin", "root@example.org"); code != 0 {
		t.Fatal(out)
	}
	w := &accountWay{process: start(t, dir, nil, env...), mailbox: mailbox{folder: filepath.Join(dir, "mail")}}
	w.browser = chromiumFor(t, certificateIn(t, dir), chromedp.Flag("host-resolver-rules",
		"MAP "+strings.TrimPrefix(public, "https://")+":443 "+strings.TrimPrefix(w.process.https, "https://")))
	w.app = w.visit(t, public+"/docs")
	return w
}

func (w *accountWay) visit(t *testing.T, address string) tab {
	t.Helper()
	ctx, end := chromedp.NewContext(w.browser)
	t.Cleanup(end)
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return tab{ctx}
}

// call makes a call from the page of the app, and returns the members of the response.
func (w *accountWay) call(t *testing.T, what, call, token, body string, status int) map[string]any {
	t.Helper()
	method, path, _ := strings.Cut(call, " ")
	text := w.app.runs(t, public, fmt.Sprintf(`(async () => {
		const [method, path, token, body] = %s
		const headers = {}
		if (body) headers["Content-Type"] = "application/json"
		if (token) headers.Authorization = "Bearer " + token
		const answer = await fetch(api + path, {method, headers, body: body || undefined})
		return answer.status + " " + await answer.text()
	})()`, jsonText(t, []string{method, path, token, body})))
	got, answer, _ := strings.Cut(text, " ")
	if got != fmt.Sprint(status) {
		t.Fatalf("%s: got %s", what, text)
	}
	members := map[string]any{}
	if err := json.Unmarshal([]byte(answer), &members); err != nil && answer != "" {
		t.Fatalf("%s: %v in %s", what, err, answer)
	}
	return members
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// linkInMail is the line of a mail file that is its link.
var linkInMail = regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(public) + `/[a-z-]+#[\w-]{80}\r?$`)

// follow waits for the mail of a kind to an address, opens its link in a new tab, and
// submits the form there, with a new password unless that is "".
func (w *accountWay) follow(t *testing.T, kind, to, password string) {
	t.Helper()
	link := w.link(t, to)
	at := w.visit(t, link)
	if got := at.runs(t, "", `location.href`); strings.Contains(got, "#") && !strings.HasSuffix(got, "#") {
		t.Errorf("%s: the address keeps the token: %s", kind, got)
	}
	steps := []chromedp.Action[chromedp.Void]{chromedp.EmulateViewport(360, 740)}
	if password != "" {
		steps = append(steps, fill(`input[name="password"]`, password))
	}
	steps = append(steps, click("form button"), chromedp.WaitVisible(chromedp.CSS(`[role="status"]`)))
	if err := chromedp.Do(at.ctx, steps...); err != nil {
		t.Fatalf("%s: %v; the page shows %s", kind, err, at.runs(t, "", `document.body.innerText`))
	}
	if got := at.runs(t, "", `String(document.documentElement.scrollWidth <= 360)`); got != "true" {
		t.Errorf("%s: the page is wider than 360 pixels", kind)
	}
}

// A mailbox is a folder of mails, as a gateway without a mail server writes them.
type mailbox struct {
	folder string
	read   []string // the mails that were read, by file name
}

// link returns the link of the only mail to the address that was not read yet.
func (m *mailbox) link(t *testing.T, to string) string {
	t.Helper()
	for deadline := time.Now().Add(answerTime); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(m.folder, "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			link := strings.TrimSpace(string(linkInMail.Find(b)))
			if err != nil || link == "" || slices.Contains(m.read, f) || !strings.Contains(string(b), "\r\nTo: <"+to+">") {
				continue
			}
			m.read = append(m.read, f)
			return link
		}
	}
	t.Fatalf("no mail to %s", to)
	return ""
}
