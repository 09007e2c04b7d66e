// Command bootstrap is the files function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/files"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/identity/token"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.Main(open) }

// settings are the settings of the function.
type settings struct {
	setup.Function

	Database  postgres.Settings
	Keys      keyring.Settings
	Tokens    token.Settings
	Nextcloud nextcloud.Server
}

// Load loads all settings.
func (s *settings) Load(r setting.Reader) {
	setting.Load(r, &s.Function, &s.Database, &s.Keys, &s.Tokens, &s.Nextcloud)
}

// open wires the store, token verification and the storage.
func open(_ context.Context, s *settings) (http.Handler, error) {
	db, ring := s.Database.Open(), s.Keys.Ring()
	f := &files.Function{
		Auth:    s.Authenticator(s.Tokens.Keys(), db),
		Storage: access.NewStorage(s.Nextcloud, db, ring, time.Now),
		MaxBody: files.LambdaBody,
	}
	return faas.Closing(s.Handler(s.Limiter(ring, db), f.Routes()), db.Close), nil
}
