package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/voiceassist/gateway/cmd/gateway/internal/metrics"
	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
	"github.com/voiceassist/gateway/cmd/gateway/internal/tracing"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/endpoint"
)

// flushTime is how long a server that stops may take to send its last traces.
const flushTime = 5 * time.Second

// signals are what a server tells about its work, besides the log.
type signals struct {
	metrics *metrics.Metrics
	tracer  *tracing.Tracer
}

func newSignals(ctx context.Context, traces tracing.Settings, log *slog.Logger) (*signals, error) {
	tracer, err := tracing.Start(ctx, traces, log)
	return &signals{metrics.New(), tracer}, err
}

// watch makes the parts and the server report. Call it before the first request.
func (s *signals) watch(p *parts, status func() server.Status) {
	s.metrics.Watch(&p.Parts, status)
	p.Passwords.Wait = s.metrics.Wait
	if s.tracer.Target() == "" {
		return
	}
	p.log.Info("traces are sent", slog.String("to", s.tracer.Target()))
	p.DB.Trace(s.tracer.Statement(p.DB.Engine()))
	p.Passwords.Wait = func(ctx context.Context) func(error) {
		counted, traced := s.metrics.Wait(ctx), s.tracer.Wait(ctx)
		return func(err error) {
			counted(err)
			traced(err)
		}
	}
}

// request observes a request after its response.
func (s *signals) request(ctx context.Context, e endpoint.Event) {
	s.metrics.Request(ctx, e)
	s.tracer.Request(ctx, e)
}

// nextcloud returns what sends requests to Nextcloud through next, and observes them.
func (s *signals) nextcloud(next http.RoundTripper) http.RoundTripper {
	return s.tracer.Nextcloud(s.metrics.Nextcloud(next))
}

// close sends the last traces.
func (s *signals) close(log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := s.tracer.Close(ctx); err != nil {
		log.LogAttrs(ctx, slog.LevelWarn, "the last traces were not sent", slog.String("cause", err.Error()))
	}
}

// keysSince returns since when the current key of each kind signs, as far as that is known.
func (p *parts) keysSince() (map[string]time.Time, error) {
	vars := &variables{process: p.vars.process, file: p.vars.file, fromKeyFile: map[string]string{}}
	report, err := keyStatus(vars, config.New(vars.lookup), time.Now())
	since := map[string]time.Time{}
	for _, k := range report.Keys {
		if k.State == keystore.StateSigns && k.Since != nil {
			since[strings.ReplaceAll(string(k.Kind), " ", "_")] = *k.Since
		}
	}
	return since, err
}
