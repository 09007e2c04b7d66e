package gateway_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const observability = "deploy/observability/"

// An alert is a rule for Prometheus.
type alert struct {
	Alert       string
	Labels      map[string]string
	Annotations map[string]string
}

// readYAML decodes a file of the project.
func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// TestAlerts_AreTestedAndExplained: each alert has a case in which it fires, one in which
// it does not, and a runbook; and there is no runbook of another one. promtool runs the
// cases (TestRules_Fire).
func TestAlerts_AreTestedAndExplained(t *testing.T) {
	t.Parallel()
	var rules struct {
		Groups []struct{ Rules []alert }
	}
	readYAML(t, observability+"rules.yml", &rules)
	var cases struct {
		Tests []struct {
			Rules []struct {
				Name     string `yaml:"alertname"`
				Expected []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	readYAML(t, observability+"rules_test.yml", &cases)
	fires, rests := map[string]bool{}, map[string]bool{}
	for _, c := range cases.Tests {
		for _, r := range c.Rules {
			if len(r.Expected) > 0 {
				fires[r.Name] = true
			} else {
				rests[r.Name] = true
			}
		}
	}
	text, err := os.ReadFile("docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	var runbooks []string
	for _, heading := range regexp.MustCompile(`(?m)^## (\S+)$`).FindAllStringSubmatch(string(text), -1) {
		runbooks = append(runbooks, heading[1])
	}
	var names []string
	for _, g := range rules.Groups {
		for _, a := range g.Rules {
			names = append(names, a.Alert)
			if !fires[a.Alert] || !rests[a.Alert] {
				t.Errorf("%s: a case in which it fires: %t, in which it does not: %t", a.Alert, fires[a.Alert], rests[a.Alert])
			}
			if want := "docs/runbooks.md#" + strings.ToLower(a.Alert); a.Annotations["runbook_url"] != want || a.Annotations["summary"] == "" {
				t.Errorf("%s has the annotations %v, want a summary and runbook_url %s", a.Alert, a.Annotations, want)
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
				t.Errorf("%s has the labels %v", a.Alert, a.Labels)
			}
		}
	}
	if len(names) == 0 || !slices.Equal(names, runbooks) {
		t.Errorf("the alerts are %v, and the runbooks %v", names, runbooks)
	}
}

// TestMetrics_AreDocumented: docs/operations.md has every metric that the code names.
func TestMetrics_AreDocumented(t *testing.T) {
	t.Parallel()
	documented, err := os.ReadFile("docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("cmd/gateway/internal/metrics")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile("cmd/gateway/internal/metrics/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`"gateway_[a-z_]+"`).FindAllString(string(source), -1) {
			found++
			if !strings.Contains(string(documented), "`"+strings.Trim(name, `"`)+"`") {
				t.Errorf("docs/operations.md lacks the metric %s", name)
			}
		}
	}
	if found < 20 {
		t.Errorf("found only %d metrics", found)
	}
}
