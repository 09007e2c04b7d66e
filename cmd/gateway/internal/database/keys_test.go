package database_test

import (
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/audit/trail"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestCheckKeys seals a database with one secret, and opens it with settings that
// name it or another one.
func TestCheckKeys(t *testing.T) {
	t.Parallel()
	sealing, other := keyring.Generate().Reveal(), keyring.Generate().Reveal()
	for _, test := range []struct {
		name    string
		env     map[string]string
		refused bool
	}{
		{"the same secret", map[string]string{"JWT_SECRET": sealing}, false},
		{"the secret is the data secret now", map[string]string{"JWT_SECRET": other, "DATA_SECRET": sealing}, false},
		{"the data secret hides the secret", map[string]string{"JWT_SECRET": sealing, "DATA_SECRET": other}, true},
		{"the data secret hides an earlier secret", map[string]string{"JWT_SECRET": other, "JWT_PREVIOUS_SECRETS": sealing, "DATA_SECRET": keyring.Generate().Reveal()}, true},
		{"the secret is an earlier data secret", map[string]string{"JWT_SECRET": sealing, "DATA_SECRET": other, "DATA_PREVIOUS_SECRETS": sealing}, false},
		{"no setting names the secret", map[string]string{"JWT_SECRET": other}, false},
		{"only a data secret, another one", map[string]string{"DATA_SECRET": other}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := storetest.SQLite(t)
			chainEvent(t, db, sealing)
			env := config.Map(test.env)
			var keys keyring.Settings
			if err := env.Load(&keys); err != nil {
				t.Fatal(err)
			}
			err := database.CheckKeys(t.Context(), db, keys.Ring(), env)
			if refused := err != nil; refused != test.refused {
				t.Errorf("refused is %t: %v", refused, err)
			}
			if err != nil && !strings.Contains(err.Error(), "add its value to DATA_PREVIOUS_SECRETS") {
				t.Errorf("the error does not say what to do: %v", err)
			}
		})
	}
}

// TestCheckKeys_AcceptsAnEmptyDatabase: nothing is sealed yet.
func TestCheckKeys_AcceptsAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{"JWT_SECRET": keyring.Generate().Reveal(), "DATA_SECRET": keyring.Generate().Reveal()})
	var keys keyring.Settings
	if err := env.Load(&keys); err != nil {
		t.Fatal(err)
	}
	if err := database.CheckKeys(t.Context(), storetest.SQLite(t), keys.Ring(), env); err != nil {
		t.Error(err)
	}
}

// chainEvent stores an event and chains it with keys of the secret.
func chainEvent(t *testing.T, db *store.DB, secret string) {
	t.Helper()
	var keys keyring.Settings
	if err := config.Map(map[string]string{"JWT_SECRET": secret}).Load(&keys); err != nil {
		t.Fatal(err)
	}
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		return tx.Audit(t.Context(), audit.New(audit.KeysRotated, "", audit.Origin{}, time.Now()))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := trail.New(db, keys.Ring(), 0, time.Now).Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
}
