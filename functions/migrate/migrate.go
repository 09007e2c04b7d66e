// Package migrate migrates the database schema at a deployment. It has no routes: a stack
// invokes it as a custom resource, and operators invoke it with aws lambda invoke.
//
// Each migration runs in a separate transaction, and all of them run under an advisory
// lock. So a call that fails or is interrupted leaves no migration half done, concurrent
// calls wait for each other, and a repeated call does nothing. Migrations are never
// reverted: old code runs on the new schema.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/migrations"
)

// A Function migrates one database.
type Function struct {
	DB     *store.DB         // over a direct connection, because the lock belongs to a session
	Report func(line string) // called with what a migration waits for; may be nil
}

// Resource migrates for a stack. The optional property SchemaVersion is the version that
// the stack's functions need; the stack calls Resource again when it changes. A schema
// newer than this code is accepted.
func (f *Function) Resource(ctx context.Context, properties map[string]any) (map[string]any, error) {
	needs, err := version(properties["SchemaVersion"])
	if err != nil {
		return nil, err
	}
	if needs > store.SchemaVersion { // before anything is changed
		return nil, fmt.Errorf("the stack needs version %d of the schema, and this function knows version %d: "+
			"deploy its code with the stack", needs, store.SchemaVersion)
	}
	r, err := f.up(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]any{"SchemaVersion": strconv.FormatInt(r.Version, 10), "Applied": strconv.Itoa(r.Applied)}, nil
}

// Command performs an operator's action: "up" migrates, "status" returns the state of the
// schema and changes nothing.
func (f *Function) Command(ctx context.Context, action string) (any, error) {
	switch action {
	case "up":
		return f.up(ctx)
	case "status":
		return f.status(ctx)
	}
	return nil, errors.New(`the action is none; there are "up" and "status"`)
}

// A Result is the result of "up".
type Result struct {
	Applied int                   `json:"applied"`         // migrations, in this call
	Version int64                 `json:"version"`         // of the schema after this call
	Twins   []store.EmailConflict `json:"twins,omitempty"` // accounts that an administrator must look at, the first 20
}

func (f *Function) up(ctx context.Context) (Result, error) {
	n, err := migrations.Up(ctx, f.DB, migrations.LockWait{Report: f.Report})
	if err != nil {
		return Result{}, err
	}
	v, err := f.DB.Schema(ctx)
	if err == nil && v < store.SchemaVersion {
		err = fmt.Errorf("the schema is at version %d after all migrations, and must be at %d", v, store.SchemaVersion)
	}
	if err != nil {
		return Result{Applied: n, Version: v}, err
	}
	const maxTwins = 20
	twins, err := f.DB.CanonicalizeEmails(ctx)
	return Result{Applied: n, Version: v, Twins: twins[:min(len(twins), maxTwins)]}, err
}

// A Status is the state of a schema.
type Status struct {
	Version int64  `json:"version"` // of the schema
	Needs   int64  `json:"needs"`   // what this code needs; a lower version is too old
	Steps   []Step `json:"steps"`   // that this code knows, oldest first
}

// A Step is one migration.
type Step struct {
	Version int64  `json:"version"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

func (f *Function) status(ctx context.Context) (Status, error) {
	v, err := f.DB.Schema(ctx)
	if err != nil {
		return Status{}, err
	}
	known, err := migrations.Status(ctx, f.DB)
	s := Status{Version: v, Needs: store.SchemaVersion, Steps: make([]Step, len(known))}
	for i, k := range known {
		s.Steps[i] = Step(k)
	}
	return s, err
}

// version parses a property. CloudFormation sends every number as a string.
func version(property any) (int64, error) {
	if property == nil {
		return 0, nil
	}
	s, ok := property.(string)
	n, err := strconv.ParseInt(s, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, errors.New("the property SchemaVersion is no whole number")
	}
	return n, nil
}
