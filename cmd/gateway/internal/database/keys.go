package database

import (
	"context"
	"fmt"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/store"
)

// CheckKeys returns an error if the ring has none of the keys that sealed the
// database, and those of JWT_SECRET did. This happens when DATA_SECRET is set on an
// existing installation: the gateway would give up what it cannot open and sign
// everybody out.
func CheckKeys(ctx context.Context, db *store.DB, ring *keyring.Ring, r setting.Reader) error {
	if ok, err := SealedWith(ctx, db, ring); err != nil || ok {
		return err
	}
	secrets := append(keyring.LoadPrevious(r), keyring.Load(r))
	older, err := keyring.New(secrets[len(secrets)-1], secrets...)
	if err != nil {
		return nil //nolint:nilerr // there is no JWT_SECRET, so it sealed nothing
	}
	if ok, err := SealedWith(ctx, db, older); err != nil || !ok {
		return err
	}
	return fmt.Errorf("%s is not the secret that encrypted this database, which is %s: add its value to %s (docs/operations.md, Keys)",
		keyring.DataVariable, keyring.Variable, keyring.DataVariablePrevious)
}

// SealedWith reports whether the ring has the keys that sealed the audit trail and
// the data in the database. An empty database is sealed with any ring.
func SealedWith(ctx context.Context, db *store.DB, ring *keyring.Ring) (bool, error) {
	head, err := db.AuditHead(ctx)
	if err != nil {
		return false, err
	}
	if _, known := ring.Derive(audit.Purpose).ByID([4]byte(head.MAC[:4])); head.MAC != (audit.MAC{}) && !known {
		return false, nil
	}
	return reconcile.Opens(ctx, db, ring)
}
