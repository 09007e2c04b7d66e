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

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/faas"
)

func main() { faas.MainJob(open) }

func open(ctx context.Context, env *config.Env) (faas.Function, error) {
	cost := env.Int("COST", 12, 10, 15)
	if key := env.Secret("KEY").Reveal(); key != "" && len(key) < 32 {
		env.RefuseSecret("KEY", fmt.Sprintf("has %d bytes", len(key)), "32 bytes or more")
	}
	switch env.OneOf("START", "well", "fails", "panics") {
	case "fails":
		return faas.Function{}, errors.New("open the store:\nno such host")
	case "panics":
		panic("nothing works")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /cost", func(w http.ResponseWriter, r *http.Request) {
		slog.With(slog.String("part", "cost")).InfoContext(r.Context(), "asked", slog.Int("cost", cost))
		fmt.Fprintf(w, "%d %d", cost, os.Getpid())
	})
	mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("boom") })
	mux.HandleFunc("GET /processors", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, runtime.GOMAXPROCS(0))
	})
	redis := env.Secret("REDIS_URL") // from a secret, or not
	mux.HandleFunc("GET /redis", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s %t", redis.Reveal(), ctx.Err() == nil)
	})
	f := faas.Function{HTTP: mux, Job: job}
	if env.Bool("CLOSES", false) {
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
