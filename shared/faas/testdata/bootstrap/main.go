// Command bootstrap is a function with everything that faas offers.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"runtime"

	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

func main() { faas.MainJob(open) }

type settings struct {
	cost   int
	start  string
	redis  secret.String // from a secret, or not
	closes bool
}

// Load loads the settings.
func (s *settings) Load(r setting.Reader) {
	s.cost = r.Int("COST", 12, 10, 15)
	if key := r.Secret("KEY").Reveal(); key != "" && len(key) < 32 {
		r.RefuseSecret("KEY", fmt.Sprintf("has %d bytes", len(key)), "32 bytes or more")
	}
	s.start = r.OneOf("START", "well", "fails", "panics")
	s.redis = r.Secret("REDIS_URL")
	s.closes = r.Bool("CLOSES", false)
}

func open(ctx context.Context, s *settings) (faas.Function, error) {
	switch s.start {
	case "fails":
		return faas.Function{}, errors.New("open the store:\nno such host")
	case "panics":
		panic("nothing works")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cost", func(w http.ResponseWriter, r *http.Request) {
		slog.With(slog.String("part", "cost")).InfoContext(r.Context(), "asked", slog.Int("cost", s.cost))
		fmt.Fprintf(w, "%d %d", s.cost, os.Getpid())
	})
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("boom") })
	mux.HandleFunc("GET /processors", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, runtime.GOMAXPROCS(0))
	})
	mux.HandleFunc("GET /redis", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s %t", s.redis.Reveal(), ctx.Err() == nil)
	})
	f := faas.Function{HTTP: mux, Job: job}
	if s.closes {
		f.Close = func() error {
			fmt.Fprintln(os.Stdout, "closed, context:", ctx.Err())
			return nil
		}
	}
	return f, nil
}

func job(ctx context.Context, e faas.Event) error {
	slog.InfoContext(ctx, "job", slog.String("source", string(e.Source)))
	if e.Body == `"fail"` {
		return errors.New("nextcloud: down")
	}
	return nil
}
