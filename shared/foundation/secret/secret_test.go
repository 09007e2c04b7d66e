package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

func TestSecret_NeverPrintsItself(t *testing.T) {
	t.Parallel()
	s := secret.String("hunter2")
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("m", slog.Any("any", s), slog.Any("in", struct{ S secret.String }{s}))
	j, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	fmt.Fprintf(&out, "%v %s %q %#v %+v", s, s, s, s, struct{ S secret.String }{s})
	if strings.Contains(out.String(), "hunter2") {
		t.Errorf("the secret shows in %s", out.String())
	}
	if s.Reveal() != "hunter2" {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
}
