package functions_test

import (
	"crypto/sha1"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/identity/breach"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestBreachedPasswords: no call sets a password that the service knows. The answer
// names the field, as for a common password. Nobody is locked out of an account whose
// password became known, and a service that fails prevents nothing.
func TestBreachedPasswords(t *testing.T) {
	t.Parallel()
	const known = "an older passphrase"
	digits := fmt.Sprintf("%X", sha1.Sum([]byte(known)))
	var down atomic.Bool
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		suffix := strings.Repeat("0", len(digits)-5)
		if r.URL.Path == "/range/"+digits[:5] {
			suffix = digits[5:]
		}
		_, _ = io.WriteString(w, suffix+":7\r\n")
	}))
	defer service.Close()

	vars := map[string]string{breach.Variable: service.URL}
	g := functionstest.NewWith(t, storetest.SQLite(t), vars)
	_, admin := g.Admin("root@example.org")
	_, p := g.Person()
	for _, call := range []struct {
		method, path, field, token string
		body                       map[string]string
	}{
		{"POST", "/api/auth/register", "password", "", map[string]string{"email": "a@example.org"}},
		{"POST", "/api/users", "password", admin.Access, map[string]string{"email": "b@example.org"}},
		{"POST", "/api/users/change-password", "new_password", p.Access, map[string]string{"old_password": functionstest.Password}},
		{"PUT", "/api/users/me/password", "newPassword", p.Access, map[string]string{"currentPassword": functionstest.Password}},
	} {
		call.body[call.field] = known
		var options []functionstest.Option
		if call.token != "" {
			options = append(options, functionstest.Bearer(call.token))
		}
		a := g.Do(call.method, call.path, call.body, options...).Want(http.StatusUnprocessableEntity, "validation_failed")
		if want := fmt.Sprintf(`"field":%q,"code":"password_breached"`, call.field); !strings.Contains(a.Body, want) {
			t.Errorf("%s %s: got %s", call.method, call.path, a.Body)
		}
	}

	down.Store(true)
	other := functionstest.NewWith(t, storetest.SQLite(t), vars) // without a cached range
	other.Register(functionstest.Email, known)
	down.Store(false)
	other.Login(functionstest.Email, known)
}
