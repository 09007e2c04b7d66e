package faas

import (
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// WriteSecondsMetric writes a duration to w, which must be standard output, as a metric that
// CloudWatch extracts from the log: namespace VoiceAssist, the given name, dimension
// FunctionName, unit seconds. The line has the embedded metric format (CloudWatch User
// Guide, "Specification: Embedded metric format"). It needs no API call and does not
// depend on LOG_LEVEL.
func WriteSecondsMetric(w io.Writer, name string, value time.Duration, now time.Time) error {
	type unit struct {
		Name string
		Unit string
	}
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []unit
	}
	line, err := encode(map[string]any{
		"_aws": map[string]any{
			"Timestamp": now.UnixMilli(),
			"CloudWatchMetrics": []directive{{
				Namespace: "VoiceAssist", Dimensions: [][]string{{"FunctionName"}},
				Metrics: []unit{{name, "Seconds"}},
			}},
		},
		"FunctionName": lambdacontext.FunctionName,
		name:           value.Seconds(),
	})
	if err != nil {
		return err
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write the metric %s: %w", name, err)
	}
	return nil
}
