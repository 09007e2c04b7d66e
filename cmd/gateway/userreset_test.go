package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/identity/registration"
	"github.com/voiceassist/gateway/shared/store"
)

func TestUserResetPassword(t *testing.T) {
	t.Parallel()
	c := newUsers(t)
	if out, _ := c.do(0, "user", "reset-password", "ada@example.org"); out != "ada@example.org gets a mail with a link\n" {
		t.Errorf("got %s", out)
	}
	if out, _ := c.do(0, "mail", "status"); !strings.HasPrefix(out, "waiting 1,") {
		t.Errorf("got %s", out)
	}
	c.do(1, "user", "reset-password", "nobody@example.org")
	c.do(1, "user", "reset-password", "--print-link", "nobody@example.org")
	c.do(0, "user", "disable", "ada@example.org")
	for _, args := range [][]string{{"ada@example.org"}, {"--print-link", "ada@example.org"}} {
		if _, problems := c.do(1, append([]string{"user", "reset-password"}, args...)...); !strings.Contains(problems, "is disabled") {
			t.Errorf("%q: got %s", args, problems)
		}
	}
}

// TestUserResetPassword_PrintsALink also checks that the link works once, and that no
// event has it.
func TestUserResetPassword_PrintsALink(t *testing.T) {
	t.Parallel()
	c := newUsers(t)
	c.env["JWT_SECRET"], c.env["PUBLIC_URL"] = keyring.Generate().Reveal(), "https://gateway.example.org/base"
	out, _ := c.do(0, "user", "reset-password", "--print-link", "--output", "json", "ada@example.org")
	var got resetJSON
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Mailed || got.ExpiresAt == nil || time.Until(*got.ExpiresAt) > time.Hour {
		t.Fatalf("got %s, %v", out, err)
	}
	text, ok := strings.CutPrefix(got.Link, "https://gateway.example.org/base/reset-password#")
	if !ok {
		t.Fatalf("got the link %s", got.Link)
	}
	keys := setting.Of[keyring.Settings](config.Map(c.env)).Ring()
	id, err := linktoken.NewCodec(keys).Decode(secret.String(text), linktoken.Reset, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c.store(func(ctx context.Context, db *store.DB) {
		redeem := func() error {
			return db.Update(ctx, func(tx *store.Tx) error {
				_, _, err := tx.RedeemLinkToken(ctx, id, linktoken.Reset, time.Now())
				return err
			})
		}
		if err := redeem(); err != nil {
			t.Errorf("the link does not work: %v", err)
		}
		if err := redeem(); !errors.Is(err, linktoken.ErrBad) {
			t.Errorf("the link works twice: %v", err)
		}
		events, err := db.AuditEvents(ctx, store.AuditFilter{Names: []audit.Name{audit.ResetRequested}, Limit: 10})
		if err != nil || len(events) != 1 || events[0].Detail != registration.LinkShown || events[0].Origin.Device != operator.Origin.Device {
			t.Errorf("audited %+v, %v", events, err)
		}
	})
	if out, problems := c.do(0, "user", "reset-password", "--print-link", "ada@example.org"); !strings.HasPrefix(out, "https://") ||
		!strings.Contains(problems, "The link works once, until ") {
		t.Errorf("got %s, %s", out, problems)
	}
}
