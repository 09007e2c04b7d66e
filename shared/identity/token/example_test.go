package token_test

import (
	"fmt"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/identity/token"
)

// Access tokens carry the account, the login and the role.
func ExampleKeys() {
	keys, err := token.NewKeys(token.Options{
		Algorithm: "HS256", Secrets: []secret.String{keyring.Generate()}, Issuer: "voiceassist", Lifetime: 15 * time.Minute,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	login := signin.Start(account.NewID(), "speaker", "192.0.2.7", now, signin.Lifetimes{Idle: time.Hour})
	raw, err := keys.Sign(login, account.User, now)
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := keys.Verify(raw, now.Add(time.Minute))
	fmt.Println(claims.Subject == login.UserID, claims.Login == login.ID, err)
	_, err = keys.Verify(raw, now.Add(time.Hour))
	fmt.Println(err)
	// Output:
	// true true <nil>
	// token_expired
}
