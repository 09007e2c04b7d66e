package faas

import (
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// The units of metrics.
const (
	Seconds = "Seconds"
	Count   = "Count"
)

// A Metric is a value that CloudWatch is to store.
type Metric struct {
	Name  string
	Unit  string // [Seconds] or [Count]
	Value float64
}

// WriteMetrics writes metrics to w, which must be standard output, from where CloudWatch
// extracts them: namespace VoiceAssist, dimension FunctionName. The line has the embedded
// metric format (CloudWatch User Guide, "Specification: Embedded metric format"). It needs
// no API call and does not depend on LOG_LEVEL.
func WriteMetrics(w io.Writer, now time.Time, metrics ...Metric) error {
	type definition struct {
		Name string
		Unit string
	}
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []definition
	}
	members := map[string]any{"FunctionName": lambdacontext.FunctionName}
	var definitions []definition
	for _, m := range metrics {
		definitions = append(definitions, definition{m.Name, m.Unit})
		members[m.Name] = m.Value
	}
	members["_aws"] = map[string]any{
		"Timestamp":         now.UnixMilli(),
		"CloudWatchMetrics": []directive{{Namespace: "VoiceAssist", Dimensions: [][]string{{"FunctionName"}}, Metrics: definitions}},
	}
	line, err := encode(members)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return nil
}
