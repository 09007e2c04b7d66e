package faas_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/faas/secrets/secretstest"
)

// stack starts a stack and the function that backs its resource.
func stack(t *testing.T, env ...string) (*faastest.Stack, *faastest.Process) {
	t.Helper()
	s := faastest.NewStack(t)
	p := faastest.Start(t, faastest.Build(t, "./testdata/resource"), append(env, s.Env()...)...)
	if e := p.InitError(); e != nil {
		t.Fatalf("init error: %v", e)
	}
	return s, p
}

// ask returns the answer to the stack, sent at once or after a failure of the function.
func ask(t *testing.T, s *faastest.Stack, p *faastest.Process, request []byte) faastest.StackResponse {
	t.Helper()
	if b, err := p.Invoke(t.Context(), request); err != nil || string(b) != "null" {
		t.Fatalf("Invoke = %s, %v; want null", b, err)
	}
	select {
	case a := <-s.Responses():
		return a
	default:
		t.Fatal("the stack received no answer")
		return faastest.StackResponse{}
	}
}

func answered(status, reason, physical string, data map[string]string) faastest.StackResponse {
	return faastest.StackResponse{
		Status: status, Reason: reason, PhysicalResourceID: physical, Data: data,
		StackID:   "arn:aws:cloudformation:eu-central-1:123456789012:stack/gateway/0",
		RequestID: "7bfe2d54-0c3c-4b1b-9a5e-1f0b6f4d2a11", LogicalResourceID: "Migration",
	}
}

func TestResource_AlwaysAnswersTheStack(t *testing.T) {
	t.Parallel()
	s, p := stack(t)
	for _, tt := range []struct {
		name, kind, do string
		want           faastest.StackResponse
	}{
		{"a creation", "Create", "well", answered("SUCCESS", "", "Migration", map[string]string{"Did": "well"})},
		{"an update", "Update", "well", answered("SUCCESS", "", "physical-1", map[string]string{"Did": "well"})},
		{"a failure", "Update", "fail",
			answered("FAILED", "line one, line two "+strings.Repeat("<é>", 123)+"<…", "physical-1", nil)},
		{"a panic", "Create", "panic", answered("FAILED", "the function panicked; see its log", "Migration", nil)},
		{"a deletion does nothing", "Delete", "panic", answered("SUCCESS", "", "physical-1", nil)},
		{"an unknown request type", "Rename", "well", answered("FAILED", "an unknown type of request", "physical-1", nil)},
	} {
		got := ask(t, s, p, s.Request(t, tt.kind, map[string]any{"Do": tt.do}))
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestResource_AnswersBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	for do, want := range map[string]string{
		"wait": "wait: context deadline exceeded",
		"hang": "it was not done in the time that the function has",
	} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			s, p := stack(t)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			b, err := p.Invoke(ctx, s.Request(t, "Create", map[string]any{"Do": do}))
			if err != nil || string(b) != "null" {
				t.Fatalf("Invoke = %s, %v; want null", b, err)
			}
			if diff := cmp.Diff(answered("FAILED", want, "Migration", nil), <-s.Responses()); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResource_RetriesALostAnswer(t *testing.T) {
	t.Parallel()
	s, p := stack(t)
	s.Fail(http.StatusServiceUnavailable, http.StatusInternalServerError)
	want := answered("SUCCESS", "", "Migration", map[string]string{"Did": "well"})
	if diff := cmp.Diff(want, ask(t, s, p, s.Request(t, "Create", map[string]any{"Do": "well"}))); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	s.Fail(http.StatusForbidden)
	_, err := p.Invoke(t.Context(), s.Request(t, "Create", nil))
	if got, ok := errors.AsType[*faastest.FunctionError](err); !ok || got.Type != "Function.AnswerNotSent" ||
		got.Message != "send the answer: status 403" {
		t.Errorf("refused answer: got %v, want the function to fail so that Lambda retries", err)
	}
}

func TestResource_AnswersOnlyAWS(t *testing.T) {
	t.Parallel()
	s, p := stack(t)
	good := string(s.Request(t, "Create", map[string]any{"Do": "well"}))
	const host = "cloudformation-custom-resource-response-eucentral1.s3.eu-central-1.amazonaws.com"
	for _, bad := range []string{
		"http://" + host, "https://evil.example.org", "https://" + host + ".evil.example.org", "https://user@" + host,
		"https://" + host + ":8443", "https://evilamazonaws.com", "https://evil.example.org/" + host, "::",
	} {
		_, err := p.Invoke(t.Context(), []byte(strings.Replace(good, "https://"+host, bad, 1)))
		if got, ok := errors.AsType[*faastest.FunctionError](err); !ok || got.Message != "the ResponseURL is none of CloudFormation's" {
			t.Errorf("%s: got %v, want a rejection", bad, err)
		}
	}
	if strings.Contains(p.Log(), "0123456789abcdef\"") {
		t.Errorf("the log contains the signature of the URL: %s", p.Log())
	}
}

func TestResource_ReportsStartFailuresToTheStack(t *testing.T) {
	t.Parallel()
	server := secretstest.New(t)
	for _, tt := range []struct {
		name, want string
		env        []string
	}{
		{"a wrong setting", "open: REDIS_URL is; wrong", []string{"REDIS_URL=wrong"}},
		{"a wrong list of secrets", "open: SECRETS_ARNS has an item that is neither; it must be up to 8 ARNs of " +
			"Secrets Manager secrets, or names beside AWS_REGION, separated by commas",
			[]string{"SECRETS_ARNS=arn:x", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}},
		{"no secret", "open: secret gone: ResourceNotFoundException (status 400)", server.Env("gone")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, p := stack(t, tt.env...)
			got := ask(t, s, p, s.Request(t, "Create", map[string]any{"Do": "well"}))
			if diff := cmp.Diff(answered("FAILED", tt.want, "Migration", nil), got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			got = ask(t, s, p, s.Request(t, "Delete", nil)) // as CloudFormation does next
			if diff := cmp.Diff(answered("SUCCESS", "", "physical-1", nil), got); diff != "" {
				t.Errorf("deletion (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCommand_ReturnsAnAnswer(t *testing.T) {
	t.Parallel()
	_, p := stack(t)
	if b, err := p.Invoke(t.Context(), []byte(`{"action":"status"}`)); err != nil || string(b) != `{"version":5}` {
		t.Errorf("status = %s, %v", b, err)
	}
	for event, want := range map[string]string{
		`{"action":"down"}`:  "Function.CommandFailed: no such action",
		`{"action":"panic"}`: "Function.Panic: the function panicked; see its log",
		`{"action":1}`:       "Function.UnknownEvent: this function takes no event of kind unknown",
		`{}`:                 "Function.UnknownEvent: this function takes no event of kind unknown",
	} {
		if b, err := p.Invoke(t.Context(), []byte(event)); err == nil || err.Error() != want {
			t.Errorf("%s = %s, %v; want %s", event, b, err, want)
		}
	}
	if b, err := start(t).Invoke(t.Context(), []byte(`{"action":"status"}`)); err == nil {
		t.Errorf("function without commands: got %s", b)
	}
}
