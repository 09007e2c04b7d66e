package faas_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/faas"
)

func TestWriteMetrics_WritesTheEmbeddedMetricFormat(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := faas.WriteMetrics(&b, time.UnixMilli(1773144000000),
		faas.Metric{Name: "Age", Unit: faas.Seconds, Value: 90}, faas.Metric{Name: "Dead", Unit: faas.Count, Value: 2}); err != nil {
		t.Fatal(err)
	}
	const want = `{"Age":90,"Dead":2,"FunctionName":"","_aws":{"CloudWatchMetrics":[{"Namespace":"VoiceAssist",` +
		`"Dimensions":[["FunctionName"]],"Metrics":[{"Name":"Age","Unit":"Seconds"},{"Name":"Dead","Unit":"Count"}]}],"Timestamp":1773144000000}}` + "\n"
	if b.String() != want {
		t.Errorf("wrote %s, want %s", b.String(), want)
	}
}
