package faas

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// A Job is work that nobody waits for. It runs at least once for each event, so
// doing it twice must be harmless; its context ends [Margin] before Lambda's
// deadline.
type Job func(ctx context.Context, e Event) error

// An Event is what asks for a job.
type Event struct {
	Source Source
	ID     string    // of the event; the same when it is delivered again
	At     time.Time // when it was due, or sent; zero when it does not say
	Body   string    // the detail of the schedule, or the text of the message
}

// A Source is where the event of a job comes from.
type Source string

// The sources: a schedule of EventBridge, a queue of SQS.
const (
	Schedule Source = "schedule"
	Queue    Source = "queue"
)

// runSchedule runs the job once. Its failure is the function's, so that Lambda
// tries again and counts it.
func (f Function) runSchedule(ctx context.Context, payload []byte) ([]byte, error) {
	e, err := decode[events.EventBridgeEvent](payload)
	if err != nil {
		return nil, failure("UnknownEvent", err.Error())
	}
	if err := f.run(ctx, Event{Source: Schedule, ID: e.ID, At: e.Time, Body: string(e.Detail)}); err != nil {
		return nil, failure("JobFailed", err.Error())
	}
	return []byte("null"), nil
}

// runQueue runs the job once for each message and returns those that failed to
// the queue, alone (ReportBatchItemFailures). Messages that the deadline leaves
// no time for go back, too.
func (f Function) runQueue(ctx context.Context, payload []byte) ([]byte, error) {
	batch, err := decode[events.SQSEvent](payload)
	if err != nil {
		return nil, failure("UnknownEvent", err.Error())
	}
	var result struct {
		Failed []failedItem `json:"batchItemFailures"`
	}
	result.Failed = []failedItem{}
	for _, m := range batch.Records {
		e := Event{Source: Queue, ID: m.MessageId, Body: m.Body}
		if ms, err := strconv.ParseInt(m.Attributes["SentTimestamp"], 10, 64); err == nil {
			e.At = time.UnixMilli(ms).UTC()
		}
		if f.run(ctx, e) != nil {
			result.Failed = append(result.Failed, failedItem{m.MessageId})
		}
	}
	return encode(result)
}

type failedItem struct {
	ID string `json:"itemIdentifier"`
}

var errPanic = errors.New("the job panicked")

// run runs the job for one event and logs its failure.
func (f Function) run(ctx context.Context, e Event) (err error) {
	defer func() {
		if p := recover(); p != nil {
			f.panicked(ctx, p)
			err = errPanic
		}
		if err != nil {
			f.log().LogAttrs(ctx, slog.LevelError, "job failed",
				slog.String("source", string(e.Source)), slog.String("event_id", e.ID), slog.String("cause", err.Error()))
		}
	}()
	if ctx.Err() != nil {
		return fmt.Errorf("no time left: %w", ctx.Err())
	}
	return f.Job(ctx, e)
}
