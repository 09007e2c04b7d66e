package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// Write what must change together in one Update. If the function fails, nothing is stored.
func ExampleDB_Update() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db, err := sqlite.Open(filepath.Join(dir, "gateway.db"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	ctx := context.Background()
	if _, err := migrations.Up(ctx, db, migrations.LockWait{}); err != nil {
		fmt.Println(err)
		return
	}
	email, _ := account.ParseEmail("ada@example.org")
	ada := account.Account{
		ID: account.NewID(), Email: email, Role: account.User, Preferences: document.Empty,
		CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	create := func(tx *store.Tx) error { return tx.CreateAccount(ctx, ada, "a bcrypt hash") }
	fmt.Println(db.Update(ctx, create))
	ada.ID = account.NewID()
	fmt.Println(errors.Is(db.Update(ctx, create), account.ErrEmailTaken))
	// Output:
	// <nil>
	// true
}
