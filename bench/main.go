// Command bench measures the gateway on this machine, next to the least that its work
// can cost.
//
//	bench measure [flags]    measure, and write build/bench.json; make load
//	bench page [FILE]        write these results into docs/performance.md; make load-page
//	bench scale [flags]      measure with up to a million users; make scale
//	bench scale-page         write these results into docs/scale.md; make scale-page
//
// It builds the gateway and starts it over TLS with an empty database: the embedded
// SQLite, or a PostgreSQL server with default settings, which waits for the disk. Rate
// limits are off, and a hash costs as much as with the products that the page compares.
// Beside the gateway runs package floor, with an empty handler, one statement or one
// bcrypt over the same TLS. Load generator and servers share the processors, so what
// counts are ratios, and the processor time for each request.
//
// To read on: scenario.go lists what is measured, client.go has the requests, load.go
// the closed and the open loop, rig.go starts the servers, measure.go takes one
// measurement, plan.go takes all, and page.go writes the page. scale.go and its
// companions are for databases with many users.
//
// The load generator is no library. vegeta, the usual one for Go, cannot send what
// depends on the last response, as a refresh does, and takes twice the processor time:
// 41 to 51 µs for a request to an empty handler, where conn takes 20.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

const resultFile = "build/bench.json"

func command(ctx context.Context, args []string, out io.Writer) error {
	switch {
	case len(args) > 0 && args[0] == "measure":
		return measureCommand(ctx, args[1:], out)
	case len(args) > 0 && args[0] == "page" && len(args) <= 2:
		file := resultFile
		if len(args) == 2 {
			file = args[1]
		}
		r, err := readRun(file)
		if err != nil {
			return err
		}
		return r.writePage("docs")
	case len(args) > 0 && args[0] == "scale":
		return scaleCommand(ctx, args[1:], out)
	case len(args) == 1 && args[0] == "scale-page":
		return writeScalePage("docs", scaleFile)
	}
	return fmt.Errorf("usage: bench measure [flags] | bench page [FILE] | bench scale [flags] | bench scale-page")
}

func measureCommand(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench measure", flag.ContinueOnError)
	names := flags.String("scenario", "", "scenarios, separated by commas: "+strings.Join(scenarioNames(), ", ")+"; empty: all")
	engines := flags.String("engine", sqlite+","+postgres, "engines, separated by commas")
	clients := flags.String("c", "1,16,64", "numbers of concurrent clients, separated by commas")
	var p plan
	flags.DurationVar(&p.time, "t", 3*time.Second, "the time of each measurement")
	flags.IntVar(&p.rounds, "rounds", 1, "how often to measure; the median counts")
	file := flags.String("o", resultFile, "where to write the results")
	if err := flags.Parse(args); err != nil {
		return err
	}
	for name := range list(*names) {
		if !slices.Contains(scenarioNames(), name) {
			return fmt.Errorf("no scenario %q; there are %s", name, strings.Join(scenarioNames(), ", "))
		}
		p.scenarios = append(p.scenarios, name)
	}
	for name := range list(*engines) {
		if name != sqlite && name != postgres {
			return fmt.Errorf("no engine %q; there are %s and %s", name, sqlite, postgres)
		}
		p.engines = append(p.engines, name)
	}
	for text := range list(*clients) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxClients {
			return fmt.Errorf("%q is not a number of clients from 1 to %d", text, maxClients)
		}
		p.clients = append(p.clients, n)
	}
	if len(p.clients) == 0 || p.rounds < 1 {
		return errors.New("-c and -rounds must be at least 1")
	}
	slices.Sort(p.clients)
	r, err := p.run(ctx, out)
	if r.Rounds > 0 {
		err = errors.Join(err, r.write(*file))
	}
	return err
}
