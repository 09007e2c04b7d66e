package ncprovision_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

const freshPassword = "an entirely new passphrase"

// phone creates an app password and returns it.
func phone(g *functionstest.Gateway, ada functionstest.Option) secret.String {
	got := g.Do("POST", issuePath, map[string]string{"name": "My phone", "password": functionstest.Password}, ada).
		Want(http.StatusCreated, "")
	return secret.String(got.Get("password"))
}

// TestAppPasswords_EndWithPasswordOrLogin changes a password and logs out everywhere, with
// Nextcloud up and down.
func TestAppPasswords_EndWithPasswordOrLogin(t *testing.T) {
	t.Parallel()
	change := func(keep string) func(*functionstest.Gateway, functionstest.Option) {
		return func(g *functionstest.Gateway, ada functionstest.Option) {
			g.Do("POST", "/api/users/change-password", `{"old_password":"`+functionstest.Password+`","new_password":"`+
				freshPassword+`"`+keep+`}`, ada).Want(http.StatusOK, "")
		}
	}
	logout := func(body any) func(*functionstest.Gateway, functionstest.Option) {
		return func(g *functionstest.Gateway, ada functionstest.Option) {
			g.Do("POST", "/api/auth/logout?all=true", body, ada).Want(http.StatusNoContent, "")
		}
	}
	for _, test := range []struct {
		name string
		do   func(*functionstest.Gateway, functionstest.Option)
		kept bool
	}{
		{"change of password", change(""), false},
		{"change of password that revokes them explicitly", change(`,"keep_app_passwords":false`), false},
		{"change of password that keeps them", change(`,"keep_app_passwords":true`), true},
		{"logout of all", logout(nil), false},
		{"logout of all with a body", logout(`{}`), false},
		{"logout of all that keeps them", logout(`{"keep_app_passwords":true}`), true},
		{"logout of one", func(g *functionstest.Gateway, ada functionstest.Option) {
			g.Do("POST", "/api/auth/logout", nil, ada).Want(http.StatusNoContent, "")
		}, true},
	} {
		for _, sync := range []string{"true", "false"} {
			for _, down := range []bool{false, true} {
				name := test.name
				if down {
					name += ", Nextcloud down"
				}
				t.Run(name+", sync "+sync, func(t *testing.T) {
					t.Parallel()
					storetest.Each(t, func(t *testing.T, db *store.DB) { ends(t, db, sync, down, test.do, test.kept) })
				})
			}
		}
	}
}

func ends(t *testing.T, db *store.DB, sync string, down bool, do func(*functionstest.Gateway, functionstest.Option), kept bool) {
	t.Helper()
	g, cloud, ada := gatewayWithNextcloud(t, db, sync)
	secret := phone(g, ada)
	if down {
		cloud.Fail(func(*http.Request) nextcloudtest.Fault { return nextcloudtest.CutBefore() })
	}
	do(g, ada)
	cloud.Fail(nil)
	reconcile(t, g)
	ada = functionstest.Bearer(login(g))
	held := strings.Count(g.Do("GET", appsPath, nil, ada).Want(http.StatusOK, "").Body, "My phone")
	if cloud.ValidCredentials(functionstest.Email, secret) != kept || held == 1 != kept {
		t.Errorf("app password works = %t, %d listed; want kept = %t",
			cloud.ValidCredentials(functionstest.Email, secret), held, kept)
	}
	g.Do("PUT", "/api/files/a.txt", "still there", ada, functionstest.Header("Content-Type", "text/plain")).Want(http.StatusCreated, "")
}

// login logs ada in with her current password.
func login(g *functionstest.Gateway) string {
	for _, password := range []string{functionstest.Password, freshPassword} {
		got := g.Do("POST", "/api/auth/login", map[string]string{"email": functionstest.Email, "password": password})
		if got.Status == http.StatusOK {
			return got.Get("access_token")
		}
	}
	return ""
}

// TestAppPasswords_RefusedIfTheLoginEndedMeanwhile ends the login of a request while Nextcloud
// creates the app password.
func TestAppPasswords_RefusedIfTheLoginEndedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(g *functionstest.Gateway, ada, admin functionstest.Option, id string){
		"change of password": func(g *functionstest.Gateway, ada, _ functionstest.Option, _ string) {
			g.Do("POST", "/api/users/change-password", map[string]string{
				"old_password": functionstest.Password, "new_password": freshPassword,
			}, ada).Want(http.StatusOK, "")
		},
		"logout of all": func(g *functionstest.Gateway, ada, _ functionstest.Option, _ string) {
			g.Do("POST", "/api/auth/logout?all=true", nil, ada).Want(http.StatusNoContent, "")
		},
		"logout": func(g *functionstest.Gateway, ada, _ functionstest.Option, _ string) {
			g.Do("POST", "/api/auth/logout", nil, ada).Want(http.StatusNoContent, "")
		},
		"disabling": func(g *functionstest.Gateway, _, admin functionstest.Option, id string) {
			g.Do("PATCH", "/api/users/"+id, `{"disabled":true}`, admin).Want(http.StatusOK, "")
		},
	} {
		for _, sync := range []string{"true", "false"} {
			t.Run(name+", sync "+sync, func(t *testing.T) {
				t.Parallel()
				storetest.Each(t, func(t *testing.T, db *store.DB) {
					g, cloud, ada := gatewayWithNextcloud(t, db, sync)
					_, root := g.Admin("root@example.org")
					reconcile(t, g)
					id := g.Do("GET", "/api/users/me", nil, ada).Get("id")
					before, _ := cloud.User(functionstest.Email)
					cloud.Fail(nextcloudtest.Times(1, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
						end(g, ada, functionstest.Bearer(root.Access), id)
						next.ServeHTTP(w, r)
					}, nextcloudtest.On(http.MethodGet, "/getapppassword")))
					got := g.Do("POST", issuePath, map[string]string{"name": "x", "password": functionstest.Password}, ada)
					if got.Status < 400 || got.Status >= 500 {
						t.Errorf("got %d %s", got.Status, got.Body)
					}
					after, _ := cloud.User(functionstest.Email)
					if len(after.AppPasswords) != len(before.AppPasswords) {
						t.Errorf("got app passwords %q", after.AppPasswords)
					}
				})
			})
		}
	}
}
