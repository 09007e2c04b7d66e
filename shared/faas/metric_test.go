package faas_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/faas"
)

func TestSeconds_WritesTheEmbeddedMetricFormat(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := faas.WriteSecondsMetric(&b, "Age", 90*time.Second, time.UnixMilli(1773144000000)); err != nil {
		t.Fatal(err)
	}
	const want = `{"Age":90,"FunctionName":"","_aws":{"CloudWatchMetrics":[{"Namespace":"VoiceAssist",` +
		`"Dimensions":[["FunctionName"]],"Metrics":[{"Name":"Age","Unit":"Seconds"}]}],"Timestamp":1773144000000}}` + "\n"
	if b.String() != want {
		t.Errorf("wrote %s, want %s", b.String(), want)
	}
}
