package login_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// TestLogin_TimingRevealsNothing mixes many logins of an unknown, a disabled, a
// pending and an existing account, and compares how long each kind took. It checks that the same
// comparison detects a login that returns early.
func TestLogin_TimingRevealsNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.New(t, db)
		const cost, slots, queue = 6, 4, 1000
		*g.Passwords = *password.NewHasher(cost, slots, queue) // hashes take 3 ms, not 250
		g.Person()
		disabled := g.Register("eve@example.org", functionstest.Password)
		_, admin := g.Admin("root@example.org")
		g.Do("PATCH", "/api/users/"+string(disabled), map[string]bool{"disabled": true}, functionstest.Bearer(admin.Access)).
			Want(http.StatusOK, "")
		g.Pending("grace@example.org")

		if differences := distinguishable(g); len(differences) > 0 {
			t.Errorf("response times distinguish kinds of accounts: %v", differences)
		}
		g.Handle(endpoint.New(g.Settings(), endpoint.Route{
			Pattern: "POST " + path, Handler: endpoint.JSON(http.StatusOK, (&naive{g}).login),
		}))
		if differences := distinguishable(g); len(differences) < 2 {
			t.Errorf("for a login that returns early, only this was detected: %v", differences)
		}
	})
}

// naive is a login that returns early, the usual first implementation.
type naive struct{ *functionstest.Gateway }

type naiveRequest struct {
	Email    string        `json:"email"`
	Password secret.String `json:"password"`
}

func (n *naive) login(ctx context.Context, _ audit.Origin, q naiveRequest) (token.Response, error) {
	errIncorrect := fault.New(fault.Unauthenticated, "incorrect_credentials", "Incorrect credentials")
	who, hash, err := n.DB.AccountByEmail(ctx, account.Email(q.Email).Lookup())
	if err != nil || who.Disabled() {
		return token.Response{}, errIncorrect
	}
	return token.Response{}, errIncorrect.Because(n.Passwords.Verify(ctx, hash, q.Password))
}

// distinguishable returns which kinds of accounts differ in their response times or responses.
func distinguishable(g *functionstest.Gateway) []string {
	const samples = 100
	emails := map[string]string{
		"unknown": "nobody@example.org", "disabled": "eve@example.org", "existing": functionstest.Email,
		"pending": "grace@example.org",
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
		body := map[string]string{"email": emails[kind], "password": "a wrong passphrase"}
		a := g.Do("POST", path, body)
		took[kind] = append(took[kind], a.Took)
		answers[kind] = varies.ReplaceAllString(fmt.Sprint(a.Status, a.Header, a.Body), "<id>")
	}
	var differences []string
	for _, pair := range []string{"unknown existing", "disabled existing", "unknown disabled", "pending existing", "unknown pending"} {
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
