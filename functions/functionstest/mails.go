package functionstest

import (
	"time"

	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/mail"
)

// A Mail is a mail in the outbox, with the token in its link.
type Mail struct {
	mail.Message

	Code string // the token
}

// Mails returns the mails that wait to be sent, and records that they were sent.
func (g *Gateway) Mails() []Mail {
	g.tb.Helper()
	var all []Mail
	for {
		lease, now := uid.New(), g.time()
		list, err := g.DB.LeaseMails(g.tb.Context(), lease, now, now.Add(time.Minute), 100)
		if err != nil {
			g.tb.Fatal(err)
		}
		if len(list) == 0 {
			return all
		}
		for _, m := range list {
			expires := now.Add(m.Kind.Purpose().Lifetime())
			if _, err := g.DB.ExtendLinkToken(g.tb.Context(), m.Token, expires); err != nil {
				g.tb.Fatal(err)
			}
			if err := g.DB.SettleMail(g.tb.Context(), m, lease, mail.Outcome{Result: mail.Sent}, now); err != nil {
				g.tb.Fatal(err)
			}
			all = append(all, Mail{m, g.Links.Encode(m.Token, m.Kind.Purpose(), expires).Reveal()})
		}
	}
}

// Mail returns the only mail that waits to be sent, which must be of that kind.
func (g *Gateway) Mail(k mail.Kind) Mail {
	g.tb.Helper()
	all := g.Mails()
	if len(all) != 1 || all[0].Kind != k {
		g.tb.Fatalf("got %d mails %v, want one %s", len(all), all, k)
	}
	return all[0]
}
