package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/voiceassist/gateway/bench/seed"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/store"
	pgstore "github.com/voiceassist/gateway/shared/store/postgres"
	litestore "github.com/voiceassist/gateway/shared/store/sqlite"
)

const scaleFile = "build/scale.json"

// A scaleRun is what one call of "bench scale" measured.
type scaleRun struct {
	Date      string    `json:"date"`
	Processor string    `json:"processor"`
	Cores     int       `json:"cores"`
	Go        string    `json:"go"`
	Seconds   float64   `json:"seconds"` // of each measurement of requests
	Clients   int       `json:"clients"`
	Sizes     []atScale `json:"sizes"`
}

// An atScale is what was measured on one engine with a number of users. Durations are in
// seconds, unless their names say otherwise.
type atScale struct {
	Engine   string   `json:"engine"`
	Users    int      `json:"users"`
	Fill     float64  `json:"fill"`
	Size     float64  `json:"size_mb"`
	Requests []result `json:"requests"`
	Memory   float64  `json:"memory_mb"` // of the gateway, after the requests

	Backup        float64 `json:"backup"`
	BackupSize    float64 `json:"backup_mb"`
	Imported      float64 `json:"imported_per_second"`
	Provisioned   float64 `json:"provisioned_per_second"`
	Deletion      float64 `json:"deletion_ms"`      // of an account with much data
	Swept         float64 `json:"swept_per_second"` // expired logins that housekeeping deletes
	SweptLongest  float64 `json:"swept_longest_ms"` // statement of that
	LoggedOut     float64 `json:"logged_out_per_second"`
	LoggedOutTime float64 `json:"logged_out"` // for all users
}

// A scalePlan says what to measure.
type scalePlan struct {
	engines []string
	sizes   []int
	time    time.Duration
	most    time.Duration // for work that would take long with many users
}

const (
	scaleClients = 16
	newUsers     = 2000   // that are imported, and wait for their accounts in Nextcloud
	burden       = 10_000 // sessions, and as many logins, of the account that is deleted
)

// passwordHash is a bcrypt hash of [password], of the cost [bcryptCost].
const passwordHash = secret.String("$2a$10$VYdnmPqsc78k08MyGaxWy.Nx2/DXT0vK0borvu3ub0awtjr6FPiRa")

func scaleCommand(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench scale", flag.ContinueOnError)
	engines := flags.String("engine", postgres+","+sqlite, "engines, separated by commas")
	sizes := flags.String("users", "1000,100000,1000000", "numbers of users, separated by commas")
	p := scalePlan{}
	flags.DurationVar(&p.time, "t", 3*time.Second, "the time of each measurement of requests")
	flags.DurationVar(&p.most, "most", 10*time.Second, "how long to do work that takes long with many users")
	file := flags.String("o", scaleFile, "where to write the results")
	if err := flags.Parse(args); err != nil {
		return err
	}
	for name := range list(*engines) {
		if name != sqlite && name != postgres {
			return fmt.Errorf("no engine %q; there are %s and %s", name, sqlite, postgres)
		}
		p.engines = append(p.engines, name)
	}
	for text := range list(*sizes) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 100 || n > 10_000_000 {
			return fmt.Errorf("%q is not a number of users from 100 to 10000000", text)
		}
		p.sizes = append(p.sizes, n)
	}
	s, err := p.run(ctx, out)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(*file), 0o755), os.WriteFile(*file, append(text, '\n'), 0o644))
}

func (p scalePlan) run(ctx context.Context, out io.Writer) (scaleRun, error) {
	dir, err := os.MkdirTemp("", "gateway-scale-")
	if err != nil {
		return scaleRun{}, err
	}
	defer os.RemoveAll(dir)
	r, err := newRig(dir)
	if err != nil {
		return scaleRun{}, err
	}
	defer r.close()
	cloud, err := r.startDevcloud(ctx)
	if err != nil {
		return scaleRun{}, err
	}
	s := scaleRun{
		Date: time.Now().UTC().Format(time.DateOnly), Processor: processorName(), Cores: runtime.NumCPU(), Go: runtime.Version(),
		Seconds: p.time.Seconds(), Clients: scaleClients,
	}
	for _, engine := range p.engines {
		for _, users := range p.sizes {
			x, err := p.measure(ctx, r, engine, users, cloud, out)
			if err != nil {
				return s, fmt.Errorf("%s with %d users: %w", engine, users, err)
			}
			s.Sizes = append(s.Sizes, x)
		}
	}
	return s, nil
}

// measure fills a database, measures requests to a gateway on it, and then work on it.
func (p scalePlan) measure(ctx context.Context, r *rig, engine string, users int, cloud []string, out io.Writer) (x atScale, err error) {
	x = atScale{Engine: engine, Users: users}
	keys := "JWT_SECRET=" + keyring.Generate().Reveal()
	// The logins of users who joined long ago would have ended.
	t, err := r.startGateway(ctx, engine, false, 0, keys, "LOGIN_LIFETIME_DAYS=0", "PASSWORD_QUEUE=1000")
	if err != nil {
		return x, err
	}
	if err := t.end(); err != nil {
		return x, err
	}
	base := work{target: t, most: p.most, users: users, now: time.Now(), cloud: cloud, dir: r.dir}
	if err := base.fill(ctx, &x); err != nil {
		return x, err
	}
	fmt.Fprintf(out, "%s, %d users: filled in %.0f s, %.0f MB\n%s\n", engine, users, x.Fill, x.Size, tableHead)
	t.address = "" // of before
	if err := r.serve(t, t.command("serve")); err != nil {
		return x, err
	}
	v, err := newVisitors(keys, users, base.now)
	if err != nil {
		return x, err
	}
	for i := range scaleClients {
		t.clients = append(t.clients, &client{number: i, engine: engine})
	}
	for _, s := range v.scenarios() {
		measured, err := t.measure(s, t.clients, 0, p.time)
		if err != nil {
			return x, err
		}
		fmt.Fprintln(out, tableLine(measured))
		x.Requests, x.Memory = append(x.Requests, measured), measured.Memory
	}
	if err := t.end(); err != nil {
		return x, err
	}
	for _, do := range []func(context.Context, *atScale) error{base.backup, base.provision, base.delete, base.sweep, base.logOut} {
		if err := do(ctx, &x); err != nil {
			return x, err
		}
	}
	fmt.Fprint(out, scaleRun{Sizes: []atScale{x}}.workTable())
	return x, nil
}

// A work is a database of so many users, and what is done to it while no gateway runs.
type work struct {
	*target

	most  time.Duration
	users int
	now   time.Time // when the last user joined
	cloud []string  // settings
	dir   string
}

// setting returns the value of a setting of the gateway.
func (w *work) setting(name string) string {
	for _, s := range w.command().Env {
		if value, ok := strings.CutPrefix(s, name+"="); ok {
			return value
		}
	}
	return ""
}

// with calls fn with the database.
func (w *work) with(fn func(*store.DB) error) error {
	var db *store.DB
	var err error
	if w.engine == postgres {
		db, err = pgstore.Open(secret.String(w.setting("DATABASE_URL")), 4)
	} else {
		db, err = litestore.Open(filepath.Join(w.setting("DATA_DIR"), "gateway.db"))
	}
	if err != nil {
		return err
	}
	return errors.Join(fn(db), db.Close())
}

func (w *work) fill(ctx context.Context, x *atScale) error {
	return w.with(func(db *store.DB) error {
		begin := time.Now()
		if err := seed.Fill(ctx, db, w.users, passwordHash, w.now); err != nil {
			return err
		}
		x.Fill = time.Since(begin).Seconds()
		n, err := seed.Bytes(ctx, db)
		x.Size = float64(n) / 1e6
		return err
	})
}
