package test_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
)

// weakenedGateway returns the path of a gateway with defenses that can be turned off, see
// [weakened].
func weakenedGateway(t *testing.T) string {
	t.Helper()
	return faastest.Program(t, "../cmd/gateway", "-tags", "attacktest")
}

// TestDefenses_CannotBeTurnedOff looks for traces of package defense in everything that is
// delivered.
func TestDefenses_CannotBeTurnedOff(t *testing.T) {
	t.Parallel()
	delivered := map[string]string{"the gateway": gateway(t)}
	functions, err := filepath.Glob("../functions/*/bootstrap")
	if err != nil || len(functions) == 0 {
		t.Fatal(err)
	}
	for _, f := range functions {
		delivered[f] = faastest.Build(t, f)
	}
	for name, program := range delivered {
		if traces := tracesOfDefenses(t, program); len(traces) > 0 {
			t.Errorf("%s contains %q", name, traces)
		}
	}
	if len(tracesOfDefenses(t, weakenedGateway(t))) == 0 {
		t.Error("the weakened gateway contains no traces either, so the test proves nothing")
	}
	if out, err := exec.Command(weakenedGateway(t), "version").CombinedOutput(); err == nil {
		t.Errorf("the weakened gateway starts outside the attack tests: %s", out)
	}
}

// tracesOfDefenses returns the traces of package defense in a program: its symbol names,
// which stripping leaves in place, and the variables that it reads.
func tracesOfDefenses(t *testing.T, program string) (found []string) {
	t.Helper()
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, trace := range []string{"foundation/defense", "ATTACKTEST"} {
		if bytes.Contains(content, []byte(trace)) {
			found = append(found, trace)
		}
	}
	return found
}

// TestDefenses_AreAttacked compares the defenses that can be turned off with those that an
// attack or a race turns off.
func TestDefenses_AreAttacked(t *testing.T) {
	t.Parallel()
	attacked := append(recheckedDefenses(), "HashCost") // HashCost only saves time
	for _, a := range allAttacks() {
		attacked = append(attacked, a.without)
	}
	declared := regexp.MustCompile(`(?m)^\t(\w+) += true\b`).FindAllStringSubmatch(read(t, "shared/foundation/defense/normal.go"), -1)
	if len(declared) == 0 {
		t.Fatal("no defense is declared")
	}
	for _, d := range declared {
		if !slices.Contains(attacked, d[1]) {
			t.Errorf("no attack turns defense.%s off", d[1])
		}
	}
}
