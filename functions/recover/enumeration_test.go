package recover_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	recovering "github.com/voiceassist/gateway/functions/recover"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestRequests_RevealNothing mixes requests for unknown, disabled, verified and
// unverified addresses, and compares the responses and how long each kind took. It
// checks that the same comparison detects a request that does nothing for an unknown
// address.
func TestRequests_RevealNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		g.Person()
		disabled := g.Register("eve@example.org", functionstest.Password)
		g.Register("zoe@example.org", functionstest.Password)
		g.Do("POST", requested, email("zoe@example.org")).Want(http.StatusAccepted, "")
		g.Do("POST", verifying, token(g.Mails()[0].Code)).Want(http.StatusOK, "")
		_, admin := g.Admin("root@example.org")
		g.Do("PATCH", "/api/users/"+string(disabled), map[string]bool{"disabled": true}, functionstest.Bearer(admin.Access)).
			Want(http.StatusOK, "")

		g.AnswerStep = 25 * time.Millisecond
		g.Handle(endpoint.New(g.Settings(), (&recovering.Function{Service: g.Recovery()}).Routes()...))
		for _, path := range []string{forgot, requested} {
			if differences := distinguishable(g, path); len(differences) > 0 {
				t.Errorf("%s distinguishes addresses: %v", path, differences)
			}
		}
		g.Handle(endpoint.New(g.Settings(), endpoint.Route{
			Pattern: "POST " + forgot, Handler: endpoint.JSON(http.StatusAccepted, (&naive{g}).forgot),
		}))
		if differences := distinguishable(g, forgot); len(differences) < 3 {
			t.Errorf("for a request that does nothing for an unknown address, only this was detected: %v", differences)
		}
	})
}

// naive mails a link only if there is an account, the usual first implementation.
type naive struct{ *functionstest.Gateway }

type naiveRequest struct {
	Email string `json:"email"`
}

func (n *naive) forgot(ctx context.Context, _ audit.Origin, q naiveRequest) (endpoint.None, error) {
	who, hash, err := n.DB.AccountByEmail(ctx, account.Email(q.Email).Lookup())
	if err != nil {
		return endpoint.None{}, nil //nolint:nilerr // does not reveal it, or so it seems
	}
	return endpoint.None{}, n.DB.Update(ctx, func(tx *store.Tx) error {
		_, err := n.Outbox.Reset(ctx, tx, who, hash, n.Now())
		return err
	})
}

// distinguishable returns which kinds of addresses differ in their response times or
// responses.
func distinguishable(g *functionstest.Gateway, path string) []string {
	const samples = 100
	emails := map[string]string{
		"unknown": "nobody@example.org", "disabled": "eve@example.org", "verified": "zoe@example.org", "unverified": functionstest.Email,
	}
	var order []string
	for kind := range emails {
		for range samples {
			order = append(order, kind)
		}
	}
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	took, answers := map[string][]time.Duration{}, map[string]string{}
	varies := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	for _, kind := range order {
		a := g.Do("POST", path, email(emails[kind]))
		took[kind] = append(took[kind], a.Took)
		answers[kind] = varies.ReplaceAllString(fmt.Sprint(a.Status, a.Header, a.Body), "<id>")
	}
	var differences []string
	for _, pair := range []string{"unknown unverified", "unknown verified", "unknown disabled", "disabled unverified", "verified unverified"} {
		a, b, _ := strings.Cut(pair, " ")
		if p := functionstest.Longer(took[a], took[b]); math.Abs(p-0.5) > functionstest.Significant {
			differences = append(differences, fmt.Sprintf("%s takes longer than %s with probability %.2f", a, b, p))
		}
		if answers[a] != answers[b] {
			differences = append(differences, fmt.Sprintf("%s: got %s; %s: got %s", a, answers[a], b, answers[b]))
		}
	}
	return differences
}
