package main

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A run is the measurements of one call of the command, as its JSON file holds them.
type run struct {
	Date      string   `json:"date"` // of the day, as in RFC 3339
	Processor string   `json:"processor"`
	Cores     int      `json:"cores"`
	Go        string   `json:"go"`
	Rounds    int      `json:"rounds"`
	Seconds   float64  `json:"seconds"` // of each measurement
	Results   []result `json:"results"`
}

// A result is one measurement: what one scenario did on one engine. Latencies are in
// milliseconds, processor time is in microseconds for each request, and memory is the
// resident size of the gateway in MB.
type result struct {
	Scenario string  `json:"scenario"`
	Engine   string  `json:"engine"`
	Clients  int     `json:"clients"`
	Rate     float64 `json:"rate,omitempty"`       // due requests per second of an open loop; 0: closed loop
	Latency  float64 `json:"latency_ms,omitempty"` // of each response of Nextcloud, if it was delayed

	Requests  int     `json:"requests"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P90       float64 `json:"p90_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`

	Server    float64 `json:"server_us"`
	Database  float64 `json:"database_us"`
	Generator float64 `json:"generator_us"`

	IdleMemory float64 `json:"idle_mb"` // after the start
	Memory     float64 `json:"memory_mb"`

	Logins  float64 `json:"logins_per_second,omitempty"`   // of a flood
	Refused float64 `json:"refusals_per_second,omitempty"` // 503, of a flood
}

// processor returns the processor time of server and database, in µs for each request.
func (r result) processor() float64 { return r.Server + r.Database }

// quantile returns the smallest of the latencies, which are in ascending order, that
// at least the share q of all do not exceed (the nearest rank), in milliseconds.
func quantile(latencies []time.Duration, q float64) float64 {
	if len(latencies) == 0 {
		return 0
	}
	rank := int(q * float64(len(latencies)))
	if float64(rank) < q*float64(len(latencies)) {
		rank++
	}
	return float64(latencies[max(rank, 1)-1]) / float64(time.Millisecond)
}

// find returns the result of a closed loop.
func (r run) find(engine, scenario string, clients int) (result, bool) {
	i := slices.IndexFunc(r.Results, func(x result) bool {
		return x.Engine == engine && x.Scenario == scenario && x.Clients == clients && x.Rate == 0
	})
	if i < 0 {
		return result{}, false
	}
	return r.Results[i], true
}

// middle returns the median of results of the same measurement, by their throughput,
// or in an open loop by their 99th percentile.
func middle(results []result) result {
	sorted := slices.SortedFunc(slices.Values(results), func(a, b result) int {
		if a.Rate > 0 {
			return cmp.Compare(a.P99, b.P99)
		}
		return cmp.Compare(a.PerSecond, b.PerSecond)
	})
	return sorted[(len(sorted)-1)/2]
}

func readRun(file string) (r run, err error) {
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	return r, err
}

func (r run) write(file string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
