package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/store"
)

// databaseSettings are a [database.Settings] or a [database.DirectSettings].
type databaseSettings interface {
	setting.Settings
	Open(ctx context.Context, waiting func(line string)) (*store.DB, error)
}

// withDatabase runs fn with the database that the settings s name.
func withDatabase(c *cobra.Command, vars *variables, s databaseSettings, fn func(*store.DB) error) error {
	env, err := vars.env()
	if err != nil {
		return err
	}
	return withDatabaseOf(c, env, s, fn)
}

// withDatabaseOf is [withDatabase] for settings in env.
func withDatabaseOf(c *cobra.Command, env *config.Env, s databaseSettings, fn func(*store.DB) error) error {
	if err := env.Load(s); err != nil {
		return err
	}
	db, err := s.Open(c.Context(), lineWriter(c.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer db.Close()
	return fn(db)
}

// lineWriter returns a function that writes lines to w.
func lineWriter(w io.Writer) func(line string) {
	return func(line string) { fmt.Fprintln(w, line) }
}
