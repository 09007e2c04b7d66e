package test_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// The requests for mails.
const (
	forgetting     = "/api/auth/forgot-password"
	askingToVerify = "/api/auth/request-verify-token"
)

// mailAttacks misuse the mails that give accounts back to their owners. The gateway writes
// its mails to files.
func mailAttacks() []attack {
	return []attack{
		{name: "a forged token of a mail, with an id from a copy of the database", without: "LinkTokenMAC", settings: unlimited(), run: forgeLink},
		{name: "a token of a mail for another purpose", without: "LinkTokenPurpose", settings: unlimited(), run: crossPurposes},
		{name: "an expired token of a mail", without: "LinkTokenExpiry", settings: unlimited(), run: useExpiredLinks},
		{name: "a used token of a mail, or one from before a change", without: "LinkTokenState", settings: unlimited(), run: useStaleLinks},
		{name: "flood a mailbox with mails to its tags, from many addresses", without: "MailLimit", run: floodMailbox},
		{name: "register without an invitation, or learn who has one", without: "InvitedUsersOnly", settings: append(unlimited(), "REGISTRATION=invite"), run: registerUninvited},
		{name: "learn from requests for mails who has an account", without: "SilentRecovery", settings: unlimited(), run: enumerateByMailAnswer},
		{name: "learn from how long they take who has an account", without: "EvenRecovery", settings: unlimited(), run: enumerateByMailTime},
	}
}

// A sentLink is the link in a mail.
type sentLink struct{ base, page, token string }

var anyLinkInMail = regexp.MustCompile(`(?m)^(\S+)/([a-z-]+)#([\w-]{80})\r?$`)

// linksTo returns the links in the mails to all addresses of which to is the beginning,
// from the oldest mail to the newest.
func linksTo(t *testing.T, dir, to string) (all []sentLink) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "mail", "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		link := anyLinkInMail.FindStringSubmatch(string(b))
		if link != nil && strings.Contains(strings.ToLower(string(b)), "\r\nto: <"+to) {
			all = append(all, sentLink{link[1], link[2], link[3]})
		}
	}
	return all
}

// mailed waits for a mail to the person with a link to the page, and returns its token.
func (p *person) mailed(page string) (token string) {
	p.a.Helper()
	await(p.a.T, "a mail with a link to "+page, func() bool {
		for _, l := range linksTo(p.a.T, p.a.process.cmd.Dir, p.email) {
			if l.page == page {
				token = l.token
			}
		}
		return token != ""
	})
	return token
}

// asks requests a mail to the person.
func (p *person) asks(path string) {
	p.a.Helper()
	if got := p.do("POST", path, fmt.Sprintf(`{"email":%q}`, p.email)); got.status != http.StatusAccepted {
		p.a.Fatalf("%s: %d %s", path, got.status, got.body)
	}
}

// resetToken returns a token with which the person can choose a new password.
func (p *person) resetToken() string {
	p.a.Helper()
	p.asks(forgetting)
	return p.mailed("reset-password")
}

// redeem sends the token to a page's call, with the password that a thief chooses.
func (c visitor) redeem(page, token string) answer {
	c.a.Helper()
	body := fmt.Sprintf(`{"token":%q}`, token)
	if page == "reset-password" || page == "accept-invitation" {
		body = fmt.Sprintf(`{"token":%q,"password":"what a thief remembers"}`, token)
	}
	return c.do("POST", "/api/auth/"+page, body)
}

func linkBytes(a *assault, token string) []byte {
	a.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		a.Fatal(err)
	}
	return raw
}

// forgeLink has a token of its own and knows the id of somebody else's, which is also in
// the database. The layout of tokens is that of package linktoken.
func forgeLink(a *assault) {
	root := a.admin()
	own, victim := linkBytes(a, a.person().resetToken()), linkBytes(a, a.person().resetToken())
	tryForged(a, "reset-password", own, victim)
	tryForged(a, "accept-invitation", linkBytes(a, a.invites(root).mailed("accept-invitation")), linkBytes(a, a.invites(root).mailed("accept-invitation")))
}

// tryForged sends forged tokens for the victim to a page's call.
func tryForged(a *assault, page string, own, victim []byte) {
	const id, mac = 4, 28
	for name, change := range map[string]func(raw []byte){
		"no HMAC":                 func(raw []byte) { clear(raw[mac:]) },
		"the HMAC of another":     func(raw []byte) { copy(raw[mac:], own[mac:]) },
		"the last bit turned":     func(raw []byte) { raw[len(raw)-1] ^= 1 },
		"a later expiry":          func(raw []byte) { raw[mac-3]++ },
		"another's id in its own": func(raw []byte) { copy(raw, own); copy(raw[id:], victim[id:id+16]) },
	} {
		raw := slices.Clone(victim)
		change(raw)
		got := a.newVisitor().redeem(page, base64.RawURLEncoding.EncodeToString(raw))
		a.attempt(got.ok(), "%s: %s: %d", page, name, got.status)
	}
}

// crossPurposes sends each kind of token to the calls for the others.
func crossPurposes(a *assault) {
	p, moved := a.person(), a.person()
	p.asks(askingToVerify)
	invited := a.invites(a.admin())
	if got := p.do("POST", "/api/auth/api-keys", fmt.Sprintf(`{"name":"x","scopes":["files:read"],"password":%q}`, plain), p.bearer()); !got.ok() {
		a.Fatalf("create a key: %d %s", got.status, got.body)
	}
	moved.moves()
	tokens := map[string]string{
		"verify": p.mailed("verify"), "reset-password": p.resetToken(), "not-me": p.mailed("not-me"), "undo": moved.mailed("undo"),
		"accept-invitation": invited.mailed("accept-invitation"),
	}
	for page := range tokens {
		for other, token := range tokens {
			if other != page {
				got := a.newVisitor().redeem(page, token)
				a.attempt(got.ok(), "%s does as %s: %d", other, page, got.status)
			}
		}
	}
}

// moves gives the account another address. Mail still goes to the previous one.
func (p *person) moves() {
	p.a.Helper()
	body := fmt.Sprintf(`{"email":"new-%s","current_password":%q}`, p.email, plain)
	if got := p.do("PATCH", "/api/users/me", body, p.bearer()); !got.ok() {
		p.a.Fatalf("change the address: %d %s", got.status, got.body)
	}
}

// useExpiredLinks uses two tokens after their time: one says so itself, which takes the key
// to make here, and the other's row says so.
func useExpiredLinks(a *assault) {
	ring, err := keyring.New(secret.String(a.secret))
	if err != nil {
		a.Fatal(err)
	}
	root := a.admin()
	invitation := func() string { return a.invites(root).mailed("accept-invitation") }
	kinds := []struct {
		page    string
		purpose linktoken.Purpose
		token   func() string
	}{
		{"reset-password", linktoken.Reset, func() string { return a.person().resetToken() }},
		{"accept-invitation", linktoken.Invite, invitation},
	}
	for _, k := range kinds {
		id := linktoken.ID(uid.FromBytes([16]byte(linkBytes(a, k.token())[4:20])))
		old := linktoken.NewCodec(ring).Encode(id, k.purpose, time.Now().Add(-time.Second))
		got := a.newVisitor().redeem(k.page, old.Reveal())
		a.attempt(got.ok(), "%s: the token has expired: %d", k.page, got.status)
	}
	for _, k := range kinds {
		token := k.token()
		a.inDatabase("UPDATE link_tokens SET expires_at = created_at")
		got := a.newVisitor().redeem(k.page, token)
		a.attempt(got.ok(), "%s: its row has expired: %d", k.page, got.status)
	}
}

// inDatabase runs a statement in the database of the gateway and returns the numbers in
// its rows.
func (a *assault) inDatabase(query string) (numbers []int) {
	a.Helper()
	db, err := sqlite.Open(filepath.Join(a.process.cmd.Dir, "gateway.db"))
	if err != nil {
		a.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Handle().QueryContext(a.Context(), query)
	if err != nil {
		a.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			a.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	if err := rows.Err(); err != nil {
		a.Fatal(err)
	}
	return numbers
}

// useStaleLinks uses tokens that have had their effect, or whose account has changed.
func useStaleLinks(a *assault) {
	p := a.person()
	p.asks(askingToVerify)
	used := p.mailed("verify")
	if got := p.redeem("verify", used); !got.ok() {
		a.Fatalf("verify: %d %s", got.status, got.body)
	}
	got := a.newVisitor().redeem("verify", used)
	a.attempt(got.ok(), "it was used: %d", got.status)

	changed, moved := a.person(), a.person()
	before, elsewhere := changed.resetToken(), moved.resetToken()
	body := fmt.Sprintf(`{"old_password":%q,"new_password":"an entirely new passphrase"}`, plain)
	if got := changed.do("POST", "/api/users/change-password", body, changed.bearer()); !got.ok() {
		a.Fatalf("change the password: %d %s", got.status, got.body)
	}
	moved.moves()
	for what, token := range map[string]string{"the password has changed": before, "the address has changed": elsewhere} {
		got := a.newVisitor().redeem("reset-password", token)
		a.attempt(got.ok(), "%s: %d", what, got.status)
	}

	accepted := a.invites(a.admin()).mailed("accept-invitation")
	if got := a.newVisitor().redeem("accept-invitation", accepted); !got.ok() {
		a.Fatalf("accept: %d %s", got.status, got.body)
	}
	got = a.newVisitor().redeem("accept-invitation", accepted)
	a.attempt(got.ok(), "the invitation was accepted: %d", got.status)
}

// invites lets an administrator invite somebody, who has no password and no login yet.
func (a *assault) invites(root *person) *person {
	a.Helper()
	invited := &person{visitor: a.newVisitor(), email: fmt.Sprintf("invited-%s@example.org", uid.New())}
	got := root.do("POST", "/api/users/invite", fmt.Sprintf(`{"email":%q}`, invited.email), root.bearer())
	if !got.ok() {
		a.Fatalf("invite: %d %s", got.status, got.body)
	}
	return invited
}

// registerUninvited registers with addresses that have an account, an invitation or
// nothing. All responses must be alike.
func registerUninvited(a *assault) {
	root := a.admin()
	invited := a.invites(root)
	register := func(email string) answer {
		a.Helper()
		return a.newVisitor().do("POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":%q}`, email, plain))
	}
	text := func(r answer) string { return fmt.Sprintln(r.status, masked(r.header), mask(r.body)) }
	stranger := register("stranger@example.org")
	a.attempt(stranger.ok(), "a stranger registers: %d", stranger.status)
	for who, email := range map[string]string{"invited": invited.email, "registered": root.email} {
		got := register(email)
		a.attempt(text(got) != text(stranger), "somebody %s differs from a stranger: %d %s", who, got.status, got.body)
	}
}

// floodMailbox registers many addresses of one mailbox and requests mails to all of them.
func floodMailbox(a *assault) {
	const accounts = 3 * mail.PerHour
	for n := range accounts {
		c := a.newVisitor()
		email := fmt.Sprintf("victim+%d@example.org", n)
		if made := c.do("POST", "/api/auth/register", fmt.Sprintf(`{"email":%q,"password":%q}`, email, plain)); !made.ok() {
			a.Fatalf("register: %d %s", made.status, made.body)
		}
		for _, path := range []string{forgetting, askingToVerify} {
			if got := c.do("POST", path, fmt.Sprintf(`{"email":%q}`, strings.ToUpper(email))); got.status != http.StatusAccepted {
				a.Fatalf("%s: %d %s", path, got.status, got.body)
			}
		}
	}
	await(a.T, "the last mail", func() bool {
		return a.inDatabase("SELECT COUNT(*) FROM mails WHERE due_at IS NOT NULL")[0] == 0
	})
	arrived := map[string]int{}
	for _, l := range linksTo(a.T, a.process.cmd.Dir, "victim") {
		arrived[l.page]++
	}
	for _, page := range []string{"reset-password", "verify"} {
		if arrived[page] == 0 {
			a.Fatalf("no mail with a link to %s arrived", page)
		}
		for n := range accounts {
			a.attempt(n >= mail.PerHour && n < arrived[page], "mail %d to the mailbox with a link to %s", n+1, page)
		}
	}
}

// recipients returns addresses for which mails are requested, by what they are. Neither the
// response nor its timing may reveal that.
func recipients(a *assault) map[string]string {
	p, verified, off, root := a.person(), a.person(), a.person(), a.admin()
	verified.asks(askingToVerify)
	if got := verified.redeem("verify", verified.mailed("verify")); !got.ok() {
		a.Fatalf("verify: %d %s", got.status, got.body)
	}
	if got := root.do("PATCH", "/api/users/"+off.id, `{"disabled":true}`, root.bearer()); !got.ok() {
		a.Fatalf("disable: %d %s", got.status, got.body)
	}
	return map[string]string{"nobody": "nobody@example.org", "somebody": p.email, "somebody verified": verified.email, "somebody disabled": off.email}
}

// enumerateByMailAnswer compares the complete responses, including the limits.
func enumerateByMailAnswer(a *assault) {
	all := recipients(a)
	for _, path := range []string{forgetting, askingToVerify} {
		ask := func(email string) (got string) {
			for range 2 {
				r := a.newVisitor().do("POST", path, fmt.Sprintf(`{"email":%q}`, email))
				got += fmt.Sprintln(r.status, masked(r.header), mask(r.body))
			}
			return got
		}
		want := ask(all["nobody"])
		for _, kind := range []string{"somebody", "somebody verified", "somebody disabled"} {
			got := ask(all[kind])
			a.attempt(got != want, "%s: %s differs from nobody: %s", path, kind, got)
		}
	}
}

// enumerateByMailTime compares how long responses take, as enumerateByTime does. For 48
// samples each, the standard deviation is 0.06.
func enumerateByMailTime(a *assault) {
	const samples, telling = 48, 0.25
	p, c := a.person(), a.newVisitor()
	for _, path := range []string{forgetting, askingToVerify} {
		took := map[string][]time.Duration{}
		order := slices.Repeat([]string{p.email, "nobody@example.org"}, samples)
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, email := range order {
			began := time.Now()
			if got := c.do("POST", path, fmt.Sprintf(`{"email":%q}`, email)); got.status != http.StatusAccepted {
				a.Fatalf("%s: %d %s", path, got.status, got.body)
			}
			took[email] = append(took[email], time.Since(began))
		}
		longer := functionstest.Longer(took[p.email], took["nobody@example.org"])
		a.attempt(longer < 0.5-telling || longer > 0.5+telling, "%s: somebody takes longer than nobody with a probability of %.2f", path, longer)
	}
}

// TestMail_LinksLeadToThePublicURL requests mails to somebody else, and invites people, in
// the name of a server that would collect the tokens. No switch of a defense would show more: the sender of mails
// knows nothing of requests.
func TestMail_LinksLeadToThePublicURL(t *testing.T) {
	t.Parallel()
	const evil, ada = "evil.example.net", "ada@example.org"
	dir := t.TempDir()
	p := start(t, dir, nil, append(unlimited(), "PUBLIC_URL=https://gateway.example.org/voice", "TRUSTED_PROXIES=127.0.0.1")...)
	register(t, p, ada, "Ada")
	if out, code := command(t, dir, plain, nil, "user", "create", "--admin", "root@example.org"); code != 0 {
		t.Fatal(out)
	}
	var root struct {
		Access string `json:"access_token"`
	}
	if !call(p, "POST", "/api/auth/login", "", fmt.Sprintf(`{"email":"root@example.org","password":%q}`, plain), &root) {
		t.Fatal("the administrator cannot log in")
	}
	for n, forged := range []http.Header{
		{"Host": {evil}},
		{"X-Forwarded-Host": {evil}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Port": {"8080"}, "X-Forwarded-Prefix": {"/" + evil}},
		{"Forwarded": {"host=" + evil + ";proto=http"}, "X-Host": {evil}, "X-Original-Host": {evil}, "X-Original-Url": {"https://" + evil}},
		{"Referer": {"https://" + evil + "/"}},
	} {
		grace := fmt.Sprintf("grace%d@example.org", n)
		for _, ask := range []struct {
			path, to, page string
			mails, status  int
		}{{forgetting, ada, "reset-password", n + 1, http.StatusAccepted}, {"/api/users/invite", grace, "accept-invitation", 1, http.StatusCreated}} {
			gate := p.target()
			r, err := http.NewRequestWithContext(t.Context(), "POST", gate.url+ask.path, strings.NewReader(`{"email":"`+ask.to+`"}`))
			if err != nil {
				t.Fatal(err)
			}
			r.Header, r.Host = forged.Clone(), forged.Get("Host")
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+root.Access)
			resp, err := gate.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != ask.status {
				t.Fatalf("%s %v: got %d", ask.path, forged, resp.StatusCode)
			}
			var links []sentLink
			await(t, "the mail", func() bool { links = linksTo(t, dir, ask.to); return len(links) >= ask.mails })
			for _, l := range links {
				if l.base != "https://gateway.example.org/voice" || l.page != ask.page {
					t.Errorf("%v: the link leads to %s/%s", forged, l.base, l.page)
				}
			}
		}
	}
}
