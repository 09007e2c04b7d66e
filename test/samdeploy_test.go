//go:build sam

package test_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// A cloud implements as much of CloudFormation and S3 as sam deploy needs up to the change
// set. It keeps what it receives and validates nothing.
type cloud struct {
	t *testing.T

	mu      sync.Mutex
	objects map[string][]byte // by path
	changes url.Values        // from the last CreateChangeSet
}

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.Method {
	case http.MethodHead:
		if c.objects[r.URL.Path] == nil {
			w.WriteHeader(http.StatusNotFound)
		}
	case http.MethodPut:
		c.objects[r.URL.Path] = body
	default:
		form, err := url.ParseQuery(string(body))
		if err != nil {
			c.t.Error(err)
		}
		c.query(w, form)
	}
}

const (
	stackID     = "arn:aws:cloudformation:eu-central-1:123456789012:stack/gateway/1"
	changeSetID = "arn:aws:cloudformation:eu-central-1:123456789012:changeSet/gateway/1"
)

// query answers CloudFormation requests (API version 2010-05-15).
func (c *cloud) query(w http.ResponseWriter, form url.Values) {
	action := form.Get("Action")
	var result string
	switch {
	case action == "DescribeStacks" && form.Get("StackName") == "aws-sam-cli-managed-default":
		result = "<Stacks><member><StackName>aws-sam-cli-managed-default</StackName><StackStatus>CREATE_COMPLETE</StackStatus>" +
			"<CreationTime>2026-01-01T00:00:00Z</CreationTime><Tags><member><Key>ManagedStackSource</Key><Value>AwsSamCli</Value></member></Tags>" +
			"<Outputs><member><OutputKey>SourceBucket</OutputKey><OutputValue>bucket</OutputValue></member></Outputs></member></Stacks>"
	case action == "CreateChangeSet":
		c.changes = form
		result = "<Id>" + changeSetID + "</Id><StackId>" + stackID + "</StackId>"
	case action == "DescribeChangeSet":
		result = "<ChangeSetId>" + changeSetID + "</ChangeSetId><StackId>" + stackID + "</StackId><Status>CREATE_COMPLETE</Status>" +
			"<Changes><member><Type>Resource</Type><ResourceChange><Action>Add</Action><LogicalResourceId>Api</LogicalResourceId>" +
			"<ResourceType>AWS::ApiGatewayV2::Api</ResourceType></ResourceChange></member></Changes>"
	default: // the stack does not exist yet
		if action != "DescribeStacks" {
			c.t.Errorf("sam deploy sent the unexpected action %s", action)
		}
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Stack with id %s does not exist</Message></Error></ErrorResponse>",
			form.Get("StackName"))
		return
	}
	fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>", action, result)
}

// TestSAM_Deploys runs the command after sam build in docs/deploy.md against a fake cloud,
// up to the change set, and checks what was sent.
func TestSAM_Deploys(t *testing.T) {
	t.Parallel()
	c := &cloud{t: t, objects: map[string][]byte{}}
	server := httptest.NewServer(c)
	defer server.Close()
	cmd := exec.CommandContext(t.Context(), "scripts/sam", "deploy", "--no-execute-changeset", "--no-progressbar")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+server.URL, "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_REQUEST_CHECKSUM_CALCULATION=when_required", "AWS_CONFIG_FILE=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := map[string]string{
		"stack": c.changes.Get("StackName"), "capability": c.changes.Get("Capabilities.member.1"),
	}
	for i := 1; c.changes.Has(fmt.Sprintf("Parameters.member.%d.ParameterKey", i)); i++ {
		got[c.changes.Get(fmt.Sprintf("Parameters.member.%d.ParameterKey", i))] = c.changes.Get(fmt.Sprintf("Parameters.member.%d.ParameterValue", i))
	}
	want := map[string]string{ // from samconfig.toml
		"stack": "voiceassist-gateway-dev", "capability": "CAPABILITY_IAM", "LogLevel": "debug", "LogRetentionDays": "7",
		"SecretArn":         "arn:aws:secretsmanager:eu-central-1:123456789012:secret:voiceassist-gateway-dev-000000",
		"DatabaseSecretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:voiceassist-gateway-dev-database-000000",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the change set differs (-want +got):\n%s", diff)
	}
	sent := c.functions(t)
	if want := len(templateRoutes(t)); len(sent) < want {
		t.Errorf("%d functions were sent, template.yaml has %d with a route", len(sent), want)
	}
	for id, code := range sent {
		if names := packed(t, code); !slices.Equal(names, []string{"bootstrap", "parameters"}) {
			t.Errorf("%s was sent with %q", id, names)
		}
	}
}

// functions returns the archive of each function in the template that was sent with the
// change set.
func (c *cloud) functions(t *testing.T) map[string][]byte {
	t.Helper()
	at, err := url.Parse(c.changes.Get("TemplateURL"))
	if err != nil {
		t.Fatal(err)
	}
	raw := c.objects[at.Path]
	var template struct {
		Resources map[string]struct {
			Type       string `yaml:"Type"`
			Properties struct {
				Code string `yaml:"CodeUri"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(raw, &template); err != nil || len(template.Resources) == 0 {
		t.Fatalf("no template at %s among %q: %v", at, slices.Collect(maps.Keys(c.objects)), err)
	}
	sent := map[string][]byte{}
	for id, r := range template.Resources {
		if r.Type != "AWS::Serverless::Function" {
			continue
		}
		code := c.objects[path.Join("/", strings.TrimPrefix(r.Properties.Code, "s3://"))]
		if code == nil {
			t.Errorf("%s is at %s, which was not sent", id, r.Properties.Code)
		}
		sent[id] = code
	}
	return sent
}

// packed returns the names in an archive; bootstrap must be executable.
func packed(t *testing.T, code []byte) []string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(code), int64(len(code)))
	if err != nil {
		t.Error(err)
		return nil
	}
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		if f.Name == "bootstrap" && f.Mode().Perm()&0o555 != 0o555 {
			t.Errorf("bootstrap has the mode %v", f.Mode())
		}
	}
	slices.Sort(names)
	return names
}
