package gateway_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/voiceassist/gateway/shared/faas/secrets"
	"github.com/voiceassist/gateway/shared/store"
)

// A template is what these tests read of template.yaml. The short forms of its
// functions (!Ref and the like) are tags; what they hold stays as text.
type template struct {
	Parameters map[string]struct {
		Default *string `yaml:"Default"`
		NoEcho  bool    `yaml:"NoEcho"`
	} `yaml:"Parameters"`
	Globals struct {
		Function function `yaml:"Function"`
	} `yaml:"Globals"`
	Resources map[string]resource  `yaml:"Resources"`
	Outputs   map[string]yaml.Node `yaml:"Outputs"`
}

type resource struct {
	Type       string    `yaml:"Type"`
	DependsOn  string    `yaml:"DependsOn"`
	Properties yaml.Node `yaml:"Properties"`
}

type function struct {
	Policies      []yaml.Node `yaml:"Policies"`
	Tracing       string      `yaml:"Tracing"`
	LoggingConfig struct {
		LogGroup string `yaml:"LogGroup"`
	} `yaml:"LoggingConfig"`
	AutoPublishAlias              string `yaml:"AutoPublishAlias"`
	AutoPublishAliasAllProperties bool   `yaml:"AutoPublishAliasAllProperties"`
	DeploymentPreference          struct {
		Enabled *bool    `yaml:"Enabled"`
		Alarms  []string `yaml:"Alarms"`
	} `yaml:"DeploymentPreference"`
	Environment struct {
		Variables map[string]yaml.Node `yaml:"Variables"`
	} `yaml:"Environment"`
	Events map[string]struct {
		Type       string `yaml:"Type"`
		Properties struct {
			Path   string `yaml:"Path"`
			Method string `yaml:"Method"`
		} `yaml:"Properties"`
	} `yaml:"Events"`
}

func readTemplate(t *testing.T) template {
	t.Helper()
	text, err := os.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var out template
	if err := yaml.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// functions returns those of the template by the name of their folder.
func (x template) functions(t *testing.T) map[string]function {
	t.Helper()
	found := map[string]function{}
	for id, r := range x.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		var f function
		if err := r.Properties.Decode(&f); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		found[strings.ToLower(strings.TrimSuffix(id, "Function"))] = f
	}
	return found
}

// text returns a part of the template in YAML, with the tags of its functions.
func text(t *testing.T, n *yaml.Node) string {
	t.Helper()
	out, err := yaml.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// id returns the name that a function has in the template.
func id(name string) string { return strings.ToUpper(name[:1]) + name[1:] }

func TestTemplate_NoSecretIsAParameter(t *testing.T) {
	t.Parallel()
	x := readTemplate(t)
	for name, p := range x.Parameters {
		if p.NoEcho || regexp.MustCompile(`(?i)(secret|password|key|databaseurl)s?$`).MatchString(name) {
			t.Errorf("the parameter %s is a secret; give the ARN of one", name)
		}
	}
	raw, err := os.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "{{resolve:") {
		t.Error("a dynamic reference puts a secret in plain text into the function's settings")
	}
	for _, name := range x.named(t) {
		for where, f := range x.functions(t) {
			if v, ok := f.Environment.Variables[name]; ok && v.Value != "" && name != "QDRANT_URL" {
				t.Errorf("%s is set for %s, and may be a secret", name, where)
			}
		}
		if v, ok := x.Globals.Function.Environment.Variables[name]; ok && v.Value != "" {
			t.Errorf("%s is set for all functions, and may be a secret", name)
		}
	}
}

// named returns the variables that a secret may hold.
func (x template) named(t *testing.T) []string {
	t.Helper()
	names := secrets.Settings()
	if len(names) < 5 {
		t.Fatalf("secrets hold %q", names)
	}
	return names
}

// TestTemplate_LeastPrivilege holds what each function may do: read the secrets
// of which it needs something, and nothing else. What its code does need is what
// test.TestFunctions_ReadTheirSecrets compares with it.
func TestTemplate_LeastPrivilege(t *testing.T) {
	t.Parallel()
	x := readTemplate(t)
	const login = "HasDatabaseLogin ${DatabaseSecretArn},${DatabaseLoginSecretArn} DatabaseSecretArn"
	usual := []string{"SecretPolicy", "DatabaseSecretPolicy", "NoNetworkPolicy"}
	policies := map[string][]string{
		"health":      {"DatabaseSecretPolicy", "NoNetworkPolicy"},
		"jwks":        {"PublishesKeys SecretPolicy AWS::NoValue", "NoNetworkPolicy"},
		"mail":        append(slices.Clone(usual), "HasMailSecret MailSecretPolicy AWS::NoValue"),
		"migrate":     {"NoNetworkPolicy", "HasMigrationSecret MigrationSecretPolicy DatabaseSecretPolicy"},
		"page":        {"NoNetworkPolicy"},
		"ncprovision": append(slices.Clone(usual), "HasNextcloudSecret NextcloudSecretPolicy AWS::NoValue"),
	}
	arns := map[string]string{
		"health": login,
		"jwks":   "PublishesKeys SecretArn ",
		"mail": ", SecretArn DatabaseSecretArn HasDatabaseLogin DatabaseLoginSecretArn AWS::NoValue " +
			"HasMailSecret MailSecretArn AWS::NoValue",
		"migrate": "HasMigrationSecret MigrationSecretArn " + login,
		"ncprovision": ", SecretArn DatabaseSecretArn HasDatabaseLogin DatabaseLoginSecretArn AWS::NoValue " +
			"HasNextcloudSecret NextcloudSecretArn AWS::NoValue",
	}
	everywhere := x.Globals.Function.Environment.Variables[secrets.Variable]
	if got := flat(&everywhere); got != "HasDatabaseLogin ${SecretArn},${DatabaseSecretArn},${DatabaseLoginSecretArn} ${SecretArn},${DatabaseSecretArn}" {
		t.Errorf("functions read the secrets %q", got)
	}
	for name, f := range x.functions(t) {
		var got []string
		for _, p := range f.Policies {
			got = append(got, flat(&p))
		}
		want, special := policies[name]
		if !special {
			want = usual
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the policies of %s differ (-want +got):\n%s", name, diff)
		}
		v := f.Environment.Variables[secrets.Variable]
		if got := flat(&v); got != arns[name] {
			t.Errorf("%s reads the secrets %q, want %q", name, got, arns[name])
		}
	}
	for name, r := range x.Resources {
		if r.Type != "AWS::IAM::ManagedPolicy" {
			continue
		}
		rules := text(t, &r.Properties)
		deny := strings.Count(rules, "Effect: Deny")
		for _, wild := range regexp.MustCompile(`(Action|Resource): "?[^"\n,}]*\*`).FindAllString(rules, -1) {
			if deny == 0 {
				t.Errorf("%s allows %s", name, wild)
			}
		}
		for _, action := range regexp.MustCompile(`Action: "?([a-z0-9]+:[A-Za-z*]+)`).FindAllStringSubmatch(rules, -1) {
			if deny == 0 && action[1] != "secretsmanager:GetSecretValue" && action[1] != "kms:Decrypt" {
				t.Errorf("%s allows %s", name, action[1])
			}
		}
	}
}

// flat returns the scalars of a part of the template, in order.
func flat(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	var parts []string
	for _, c := range n.Content {
		parts = append(parts, flat(c))
	}
	return strings.Join(parts, " ")
}

// TestTemplate_EveryFunctionHasLogsAndAlarms holds what each function has around it: a
// log that ends some day, and an alarm on what fails that also stops a
// deployment.
func TestTemplate_EveryFunctionHasLogsAndAlarms(t *testing.T) {
	t.Parallel()
	x := readTemplate(t)
	if x.Globals.Function.Tracing != "Active" || x.Globals.Function.AutoPublishAlias == "" {
		t.Error("functions are not traced, or have no alias")
	}
	throttled := x.Resources["Throttled"]
	for name, f := range x.functions(t) {
		logs := x.Resources[f.LoggingConfig.LogGroup]
		if logs.Type != "AWS::Logs::LogGroup" || !strings.Contains(text(t, &logs.Properties), "RetentionInDays: !Ref LogRetentionDays") {
			t.Errorf("%s logs into %s, which keeps everything", name, f.LoggingConfig.LogGroup)
		}
		if !f.AutoPublishAliasAllProperties {
			t.Errorf("a change of %s in template.yaml makes no version", name)
		}
		if name == "migrate" { // watched by the deployment that runs it
			if p := f.DeploymentPreference; p.Enabled == nil || *p.Enabled {
				t.Error("migrate is deployed gradually, and the migration would be run by the version before")
			}
			continue
		}
		alarm := x.Resources[id(name)+"Failing"]
		rule := text(t, &alarm.Properties)
		if alarm.Type != "AWS::CloudWatch::Alarm" || !slices.Contains(f.DeploymentPreference.Alarms, id(name)+"Failing") ||
			strings.Count(rule, "!Ref "+id(name)+"Function") != 2 || !strings.Contains(rule, "MetricName: "+id(name)+"Faults") {
			t.Errorf("no alarm on the failures of %s, or it stops no deployment of it:\n%s", name, rule)
		}
		faults := x.Resources[id(name)+"Faults"]
		if filter := text(t, &faults.Properties); !strings.Contains(filter, "!Ref "+f.LoggingConfig.LogGroup) ||
			!strings.Contains(filter, `FilterPattern: '{ $.level = "ERROR" }'`) {
			t.Errorf("the faults of %s are not counted:\n%s", name, filter)
		}
		if !strings.Contains(text(t, &throttled.Properties), "!Ref "+id(name)+"Function") {
			t.Errorf("no alarm on %s being throttled", name)
		}
	}
	for name, r := range x.Resources {
		if rule := text(t, &r.Properties); r.Type == "AWS::CloudWatch::Alarm" && !strings.Contains(rule, "AlarmActions: [!Ref Alarms]") {
			t.Errorf("the alarm %s notifies no topic", name)
		}
	}
}

// TestTemplate_MigratesFirst checks that the schema is brought up to date before
// anything that relies on it is replaced.
func TestTemplate_MigratesFirst(t *testing.T) {
	t.Parallel()
	x := readTemplate(t)
	var migration struct {
		ServiceToken  string `yaml:"ServiceToken"`
		SchemaVersion int    `yaml:"SchemaVersion"`
	}
	r := x.Resources["Migration"]
	if err := r.Properties.Decode(&migration); err != nil {
		t.Fatal(err)
	}
	if migration.SchemaVersion != store.SchemaVersion {
		t.Errorf("the migration of template.yaml is to version %d, the code wants %d: CloudFormation runs it when this changes",
			migration.SchemaVersion, store.SchemaVersion)
	}
	if migration.ServiceToken != "MigrateFunction.Alias" {
		t.Errorf("the migration is run by %s; a function's ARN alone would be that of whatever was uploaded last", migration.ServiceToken)
	}
	for id, r := range x.Resources {
		if r.Type == "AWS::Serverless::Function" && id != "MigrateFunction" && r.DependsOn != "Migration" {
			t.Errorf("%s may be replaced before the migration", id)
		}
	}
}

// TestTemplate_TheScheduleRunsWithOrWithoutNextcloud, as it looks after the
// database, too.
func TestTemplate_TheScheduleRunsWithOrWithoutNextcloud(t *testing.T) {
	t.Parallel()
	x := readTemplate(t)
	r := x.Resources["NcprovisionFunction"]
	rule := text(t, &r.Properties)
	if !strings.Contains(rule, "Type: ScheduleV2") || strings.Contains(rule, "State:") {
		t.Errorf("there is no schedule, or one that can be off:\n%s", rule)
	}
}

// TestEnvJSON holds env.json.example against the template: SAM silently drops variables
// that the template does not name.
func TestEnvJSON_NamesVariablesOfTheTemplate(t *testing.T) {
	t.Parallel()
	x := readTemplate(t)
	raw, err := os.ReadFile("env.json.example")
	if err != nil {
		t.Fatal(err)
	}
	var env map[string]map[string]string
	if err := json.Unmarshal(raw, &env); err != nil {
		t.Fatal(err)
	}
	everywhere := slices.Collect(maps.Keys(x.Globals.Function.Environment.Variables))
	all := x.functions(t)
	for block, vars := range env {
		named := slices.Clone(everywhere)
		for name, f := range all {
			if block == "Parameters" || block == id(name)+"Function" {
				named = slices.AppendSeq(named, maps.Keys(f.Environment.Variables))
			}
		}
		for name := range vars {
			if !slices.Contains(named, name) {
				t.Errorf("env.json.example sets %s in %s, which template.yaml does not name there", name, block)
			}
		}
	}
	if env["Parameters"][secrets.Variable] != "" || env["Parameters"]["DATABASE_URL"] == "" {
		t.Error("env.json.example must say that there are no secrets to fetch, and where the database is")
	}
}

// TestSamconfig_SetsParametersOfTheTemplate holds samconfig.toml against the
// template, for both stages.
func TestSamconfig_SetsParametersOfTheTemplate(t *testing.T) {
	t.Parallel()
	x := readTemplate(t)
	raw, err := os.ReadFile("samconfig.toml")
	if err != nil {
		t.Fatal(err)
	}
	lists := regexp.MustCompile(`(?s)parameter_overrides = \[(.*?)\]`).FindAllStringSubmatch(string(raw), -1)
	if len(lists) != 2 {
		t.Fatalf("samconfig.toml has %d lists of parameters, want those of default and prod", len(lists))
	}
	for _, list := range lists {
		for _, quoted := range regexp.MustCompile(`"[^"]*"`).FindAllString(list[1], -1) {
			pair, err := strconv.Unquote(quoted)
			if err != nil {
				t.Fatal(err)
			}
			name, _, _ := strings.Cut(pair, "=")
			if _, ok := x.Parameters[name]; !ok {
				t.Errorf("samconfig.toml sets %s, which template.yaml does not have", name)
			}
		}
	}
}

// TestEvents_OneForEachFunction checks that every function can be tried with
// sam local invoke.
func TestEvents_OneForEachFunction(t *testing.T) {
	t.Parallel()
	for name := range readTemplate(t).functions(t) {
		found, err := filepath.Glob("events/" + name + "*.json")
		if err != nil || len(found) == 0 {
			t.Errorf("no event for %s: %v", name, err)
		}
	}
}
