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

// A Job is background work. It runs at least once for each event, so it must be
// idempotent. Its context ends [Margin] before Lambda's deadline.
type Job func(ctx context.Context, e Event) error

// An Event triggers a job.
type Event struct {
	Source Source
	ID     string    // of the event; the same if it is delivered again
	At     time.Time // when it was due or sent; zero if unknown
	Body   string    // the detail of the schedule, or the text of the message
}

// A Source is where a job's event comes from.
type Source string

// The sources: an EventBridge schedule and an SQS queue.
const (
	Schedule Source = "schedule"
	Queue    Source = "queue"
)

// runSchedule runs the job once. If the job fails, the function fails, so that Lambda
// retries and counts it.
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

// runQueue runs the job once for each message and returns only the failed ones to the
// queue (ReportBatchItemFailures). Messages that are left at the deadline are returned,
// too.
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
