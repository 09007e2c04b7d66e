package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/store"
)

func TestUserInvite(t *testing.T) {
	t.Parallel()
	c := newUsers(t)
	out, _ := c.do(0, "user", "invite", "--role", "admin", "grace@example.org")
	if !strings.HasPrefix(out, "invited ") || !strings.HasSuffix(out, " grace@example.org as admin; a mail with a link is on its way\n") {
		t.Errorf("got %s", out)
	}
	if out, _ := c.do(0, "user", "list"); !strings.Contains(out, "pending") {
		t.Errorf("got %s", out)
	}
	out, problems := c.do(0, "user", "invite", "--name", "Grace", "grace@example.org")
	if !strings.Contains(out, " as admin; ") || !strings.Contains(problems, "keeps its name, and its role admin") {
		t.Errorf("got %s, %s", out, problems)
	}
	if out, _ := c.do(0, "mail", "status"); !strings.HasPrefix(out, "waiting 2,") {
		t.Errorf("got %s", out)
	}
	if _, problems := c.do(1, "user", "invite", "ada@example.org"); !strings.Contains(problems, "ada@example.org has an account already; gateway user reset-password") {
		t.Errorf("got %s", problems)
	}
	c.do(1, "user", "invite", "nobody")
	c.do(exitUsage, "user", "invite", "--role", "king", "eve@example.org")
	c.do(exitUsage, "user", "invite")
	c.do(0, "user", "disable", "grace@example.org")
	if _, problems := c.do(1, "user", "invite", "grace@example.org"); !strings.Contains(problems, "is disabled") {
		t.Errorf("got %s", problems)
	}
	c.env["REGISTRATION"] = "closed"
	if _, problems := c.do(1, "user", "invite", "eve@example.org"); !strings.Contains(problems, "Registration is closed") {
		t.Errorf("got %s", problems)
	}
}

// TestUserInvite_PrintsALink also checks that only the last link works, and that no event
// has it.
func TestUserInvite_PrintsALink(t *testing.T) {
	t.Parallel()
	c := newUsers(t)
	c.env["JWT_SECRET"], c.env["PUBLIC_URL"] = keyring.Generate().Reveal(), "https://gateway.example.org/base"
	keys := setting.Of[keyring.Settings](config.Map(c.env)).Ring()
	invite := func() linktoken.ID {
		t.Helper()
		out, _ := c.do(0, "user", "invite", "--print-link", "--output", "json", "grace@example.org")
		var got invitationJSON
		if err := json.Unmarshal([]byte(out), &got); err != nil || got.Mailed || got.ExpiresAt == nil || time.Until(*got.ExpiresAt) > linktoken.InviteLifetime {
			t.Fatalf("got %s, %v", out, err)
		}
		text, ok := strings.CutPrefix(got.Link, "https://gateway.example.org/base/accept-invitation#")
		if !ok {
			t.Fatalf("got the link %s", got.Link)
		}
		id, err := linktoken.NewCodec(keys).Decode(secret.String(text), linktoken.Invite, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first, last := invite(), invite()
	c.store(func(ctx context.Context, db *store.DB) {
		if _, _, err := db.LinkToken(ctx, first, linktoken.Invite, time.Now()); err == nil {
			t.Error("the first link works")
		}
		_, a, err := db.LinkToken(ctx, last, linktoken.Invite, time.Now())
		if err != nil || a.Email != "grace@example.org" {
			t.Errorf("the last link is for %s, %v", a.Email, err)
		}
		events, err := db.AuditEvents(ctx, store.AuditFilter{User: a.ID, Limit: 10})
		if err != nil || len(events) != 2 || events[0].Name != audit.Invited || events[0].Detail != registration.LinkShown ||
			events[1].Detail != "invited; "+registration.LinkShown {
			t.Errorf("audited %+v, %v", events, err)
		}
	})
	if out, _ := c.do(0, "mail", "status"); !strings.HasPrefix(out, "waiting 0,") {
		t.Errorf("got %s", out)
	}
	if out, problems := c.do(0, "user", "invite", "--print-link", "grace@example.org"); !strings.HasPrefix(out, "https://") ||
		!strings.Contains(problems, "The link works once, until ") {
		t.Errorf("got %s, %s", out, problems)
	}
}

// TestUserCreate_WithoutAPassword invites the user if standard input is empty.
func TestUserCreate_WithoutAPassword(t *testing.T) {
	t.Parallel()
	c := newUsers(t)
	if out, _ := c.do(0, "user", "create", "--admin", "--name", "Grace", "grace@example.org"); !strings.Contains(out, "invited ") {
		t.Errorf("got %s", out)
	}
	c.store(func(ctx context.Context, db *store.DB) {
		a, _, err := db.AccountByEmail(ctx, account.Email("grace@example.org").Lookup())
		if err != nil || !a.Pending || !a.Admin() || a.FullName != "Grace" {
			t.Errorf("got %+v, %v", a, err)
		}
	})
}
