package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
)

// newOutbox returns a console whose outbox has two mails to ada: the first is dead, the
// second waits.
func newOutbox(t *testing.T) (c console, dead string) {
	t.Helper()
	c = newUsers(t)
	c.store(func(ctx context.Context, db *store.DB) {
		address, err := account.ParseEmailLookup("ada@example.org")
		if err != nil {
			t.Fatal(err)
		}
		ada, hash, err := db.AccountByEmail(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for range 2 {
			err := db.Update(ctx, func(tx *store.Tx) error {
				_, err := new(mail.Outbox).Reset(ctx, tx, ada, hash, now)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		lease := uid.New()
		list, err := db.LeaseMails(ctx, lease, now, now.Add(time.Minute), 1)
		if err != nil || len(list) != 1 {
			t.Fatalf("leased %v, %v", list, err)
		}
		dead = list[0].ID
		failed := mail.Outcome{Result: mail.Dead, Attempts: 3, Error: "550 no such user \x1b[31m"}
		if err := db.SettleMail(ctx, list[0], lease, failed, now); err != nil {
			t.Fatal(err)
		}
	})
	return c, dead
}

func TestMail_StatusNamesWhatFailed(t *testing.T) {
	t.Parallel()
	c, dead := newOutbox(t)
	out, _ := c.do(0, "mail", "status")
	for _, want := range []string{
		"waiting 1, sent in the last day 0, dead 1\n", "the oldest mail waits since ",
		dead + "  dead    reset-password  ada@example.org  3                   550 no such user \\x1b[31m\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("got %s, want %q in it", out, want)
		}
	}
	out, _ = c.do(0, "mail", "status", "--output", "json")
	var status mailStatusJSON
	if err := json.Unmarshal([]byte(out), &status); err != nil || status.Waiting != 1 || status.Dead != 1 || len(status.Mails) != 1 ||
		status.Mails[0].ID != dead || status.Mails[0].NextTryAt != nil || status.Mails[0].Attempts != 3 {
		t.Errorf("got %s, %v", out, err)
	}
	c.do(exitUsage, "mail", "status", "--limit", "0")
}

func TestMail_Retry(t *testing.T) {
	t.Parallel()
	c, dead := newOutbox(t)
	c.do(exitUsage, "mail", "retry", "nonsense")
	if _, problems := c.do(1, "mail", "retry", uid.New()); !strings.Contains(problems, "there is no such mail") {
		t.Errorf("got %s", problems)
	}
	if out, _ := c.do(0, "mail", "retry", dead); out != "due now: 1\n" {
		t.Errorf("got %s", out)
	}
	if out, _ := c.do(0, "mail", "status"); !strings.Contains(out, "waiting 2, sent in the last day 0, dead 0\n") {
		t.Errorf("got %s", out)
	}
	c.do(1, "mail", "retry", dead) // it is due already
	if out, problems := c.do(0, "mail", "retry"); out != "" || problems != "No mail failed.\n" {
		t.Errorf("got %s, %s", out, problems)
	}
	if out, _ := c.do(0, "mail", "retry", "--output", "json"); !strings.Contains(out, `"due": 0`) {
		t.Errorf("got %s", out)
	}
}
