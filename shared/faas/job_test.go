package faas_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/faas"
)

const schedule = `{"version":"0","id":"53dc4d37","detail-type":"Scheduled Event","source":"aws.scheduler",` +
	`"time":"2026-03-01T12:00:00Z","region":"eu-central-1","resources":["arn"],"detail":{"dry":true}}`

// queue returns an SQS event with these messages; each message is its own ID.
func queue(messages ...string) string {
	var records []map[string]any
	for _, m := range messages {
		records = append(records, map[string]any{
			"messageId": m, "body": m, "eventSource": "aws:sqs",
			"attributes": map[string]string{"SentTimestamp": "1772366400000"},
		})
	}
	b, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func job(fn faas.Job) faas.Function {
	return faas.Function{Job: fn, Log: slog.New(slog.DiscardHandler)}
}

func TestJob_ReceivesItsTrigger(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name, event string
		want        faas.Event
	}{
		{"a schedule", schedule, faas.Event{Source: faas.Schedule, ID: "53dc4d37", At: noon, Body: `{"dry":true}`}},
		{"a message", queue("m1"), faas.Event{Source: faas.Queue, ID: "m1", At: noon, Body: "m1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got faas.Event
			_, err := job(func(_ context.Context, e faas.Event) error { got = e; return nil }).
				Invoke(t.Context(), []byte(tt.event))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJob_ScheduledFailureFailsTheFunction(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		job  faas.Job
		want string // in the error; "" for none
	}{
		{"success", func(context.Context, faas.Event) error { return nil }, ""},
		{"failure", func(context.Context, faas.Event) error { return errors.New("nextcloud: down") }, "nextcloud: down"},
		{"panic", func(context.Context, faas.Event) error { panic("boom") }, "the job panicked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b, err := job(tt.job).Invoke(t.Context(), []byte(schedule))
			if tt.want == "" && (err != nil || string(b) != "null") {
				t.Errorf("Invoke = %q, %v; want null", b, err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Invoke = %q, %v; want an error with %q", b, err, tt.want)
			}
		})
	}
}

func TestJob_ReturnsOnlyFailedMessages(t *testing.T) {
	t.Parallel()
	f := job(func(_ context.Context, e faas.Event) error {
		switch e.Body {
		case "fails":
			return errors.New("no")
		case "panics":
			panic("boom")
		}
		return nil
	})
	tests := []struct {
		name     string
		messages []string
		want     string
	}{
		{"none", []string{"a", "b"}, `{"batchItemFailures":[]}`},
		{"some", []string{"a", "fails", "panics", "b"},
			`{"batchItemFailures":[{"itemIdentifier":"fails"},{"itemIdentifier":"panics"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := f.Invoke(t.Context(), []byte(queue(tt.messages...)))
			if err != nil || string(got) != tt.want {
				t.Errorf("Invoke = %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestJob_ReturnsMessagesItHasNoTimeFor(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	f := job(func(context.Context, faas.Event) error { cancel(); return nil })
	got, err := f.Invoke(ctx, []byte(queue("a", "b")))
	if want := `{"batchItemFailures":[{"itemIdentifier":"b"}]}`; err != nil || string(got) != want {
		t.Errorf("Invoke = %s, %v; want %s", got, err, want)
	}
}

func TestJob_RejectsHTTPRequests(t *testing.T) {
	t.Parallel()
	f := job(func(context.Context, faas.Event) error { return nil })
	if _, err := f.Invoke(t.Context(), []byte(v2(``))); err == nil {
		t.Error("a function without HTTP accepted a request")
	}
}
