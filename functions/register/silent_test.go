package register_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Run(m)) }

// TestRegister_SilentTimingRevealsNothing mixes registrations of free and of registered
// addresses. It checks that the same comparison detects a request that needs no hash.
func TestRegister_SilentTimingRevealsNothing(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		g := functionstest.NewWith(t, db, map[string]string{"REGISTRATION_CONFLICT": "silent"})
		g.Register(functionstest.Email, functionstest.Password)
		took := map[string][]time.Duration{}
		var order []string
		for range 100 {
			order = append(order, "free", "taken", "refused")
		}
		rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for i, kind := range order {
			body := map[string]string{"email": functionstest.Email, "password": functionstest.Password}
			want := http.StatusOK
			switch kind {
			case "free":
				body["email"] = fmt.Sprintf("user-%d@example.org", i)
			case "refused":
				body["password"], want = "short", http.StatusUnprocessableEntity
			}
			took[kind] = append(took[kind], g.Do("POST", path, body).Want(want, "").Took)
		}
		if p := functionstest.Longer(took["free"], took["taken"]); math.Abs(p-0.5) > 2*functionstest.Significant {
			t.Errorf("a free address takes longer than a taken one with probability %.2f", p)
		}
		if p := functionstest.Longer(took["taken"], took["refused"]); p < 0.5+2*functionstest.Significant {
			t.Errorf("a response without a hash is not distinguishable: %.2f", p)
		}
	})
}
