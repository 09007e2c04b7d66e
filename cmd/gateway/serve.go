package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/spf13/cobra"

	"github.com/voiceassist/gateway/cmd/gateway/internal/database"
	"github.com/voiceassist/gateway/cmd/gateway/internal/metrics"
	"github.com/voiceassist/gateway/cmd/gateway/internal/reference"
	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/cmd/gateway/internal/tracing"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/foundation/version"
	"github.com/voiceassist/gateway/shared/nextcloud/reconcile"
	"github.com/voiceassist/gateway/shared/setup"
	"github.com/voiceassist/gateway/shared/store/janitor"
)

func serveCommand(vars *variables) *cobra.Command {
	var dev, recheck bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server until SIGTERM or Ctrl-C",
		Long: `Run the server over HTTPS, with its background work. It starts without any
setting: it then makes a certificate, keys and an embedded database in .data.
SIGTERM or Ctrl-C stops it: it finishes requests for up to 10 seconds.
SIGHUP makes it read its keys again. SIGUSR1 switches the log level to debug, and
back. Logs are JSON lines on stdout.`,
		Example: `  gateway serve
  gateway serve --recheck-nextcloud
  DATABASE_URL=postgres://gateway@db.example.org/gateway gateway serve`,
		Annotations: next(`Open /docs on the printed address, and create an administrator with
  "gateway user create --admin EMAIL".`),
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if dev {
				return errNoDevNextcloud
			}
			return runServer(c.Context(), vars, recheck, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	c.Flags().BoolVar(&recheck, "recheck-nextcloud", false, "first check every account in Nextcloud, as after Nextcloud lost data")
	c.Flags().BoolVar(&dev, "dev-nextcloud", false, "was removed: make run starts a Nextcloud")
	c.Flags().Lookup("dev-nextcloud").Hidden = true
	return c
}

// errNoDevNextcloud is the error of a flag that earlier releases had.
const errNoDevNextcloud = usageError("--dev-nextcloud: the gateway no longer contains a Nextcloud; \"make run\" starts one beside it")

// runServer serves until ctx ends. It logs to stdout, where container runtimes collect
// logs. Errors that prevent the start go to stderr.
func runServer(ctx context.Context, vars *variables, recheck bool, stdout, stderr io.Writer) error {
	env, err := vars.read()
	if err != nil {
		return err
	}
	at, traces := readServer(env)
	level := new(slog.LevelVar)
	level.Set(setting.LogLevel(env))
	log := tracing.Log(setup.Log(level, stdout))
	server.TuneMemory(ctx, log)
	s, err := newSignals(ctx, traces, log)
	if err != nil {
		return err
	}
	defer s.close(log)
	p, err := open(ctx, vars, env, log, s.nextcloud)
	if err != nil {
		return err
	}
	defer p.DB.Close()
	defer p.Limits.Close()
	settings := p.http.Endpoint(log, p.Limits)
	if err := database.CheckSchema(ctx, p.DB); err != nil {
		// Another process may be migrating the database; /ready fails until it has.
		log.WarnContext(ctx, "the gateway is not ready", slog.String("cause", err.Error()))
	} else if err := database.CheckKeys(ctx, p.DB, p.ring, p.env); err != nil {
		return explain(err)
	}
	settings.Observe = s.request
	routes := slices.Concat(p.Routes(), p.Pages(), reference.Routes())
	slog.SetDefault(log)
	p.Passwords.Begin = server.NewSpare(p.Passwords.Slots()).Hash
	background, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	server := &server.Server{
		Settings: at, Endpoint: settings, Handler: s.tracer.Handler(endpoint.New(settings, routes...)), Metrics: s.metrics.Handler(),
		// Background work starts once the server listens. If another gateway already
		// uses the addresses, this one must not create its accounts in Nextcloud.
		Ready: func(a server.Addresses) {
			working.Go(func() { p.work(background, recheck) })
			if at.MetricsAddr != "" {
				working.Go(func() {
					s.metrics.Loop(background, metrics.Sources{DB: p.DB, Reconciler: p.Reconciler, Keys: p.keysSince})
				})
			}
			working.Go(func() { followLevel(background, level, log) })
			logAddresses(stderr, log, a)
		},
	}
	s.watch(p, server.Status)
	err = server.Run(ctx)
	stop()
	working.Wait() // before the database is closed
	return err
}

// logAddresses logs and prints the addresses of the server.
func logAddresses(w io.Writer, log *slog.Logger, a server.Addresses) {
	log.Info("serving", slog.String("version", version.String()), slog.String("https", a.HTTPS.String()),
		slog.String("http", a.HTTP.String()))
	fmt.Fprintf(w, "VoiceAssist gateway: https on %s, http on %s\n", a.HTTPS, a.HTTP)
}

// work runs the background work of the server until ctx ends. With recheck, it first
// makes all Nextcloud accounts due.
func (p *parts) work(ctx context.Context, recheck bool) {
	if recheck {
		if _, err := p.DB.RecheckNextcloud(ctx, p.Now()); err != nil {
			p.log.WarnContext(ctx, "accounts in Nextcloud are not looked at", slog.String("cause", err.Error()))
		}
	}
	var others sync.WaitGroup
	others.Go(func() { p.Reconciler.Loop(ctx) })
	others.Go(func() { p.Trail.Loop(ctx) })
	if p.Mails != nil {
		others.Go(func() { p.Mails.Loop(ctx) })
	}
	others.Go(func() { p.followKeys(ctx) })
	others.Go(func() { p.followClock(ctx) })
	others.Go(func() { reconcile.NewResealer(p.DB, p.ring, p.Now).Loop(ctx) })
	janitor.New(p.DB, p.Rules, p.Now).Loop(ctx)
	others.Wait()
}
