// Package mail is the function that sends what is in the outbox. It has no routes: a
// schedule runs it on Lambda, where no process runs in the background. The binary sends
// by itself.
//
// Begin with [Function.Run]. Package delivery, in shared/mail, does the work.
package mail

import (
	"context"
	"time"

	"github.com/voiceassist/gateway/shared/mail/delivery"
	"github.com/voiceassist/gateway/shared/store"
)

// A Function sends mails.
type Function struct {
	DB         *store.DB
	Dispatcher *delivery.Dispatcher // nil: mails stay in the outbox
	Now        func() time.Time
}

// Run is the scheduled job: it sends all mails that are due. It stops before ctx ends;
// the next run continues. Runs that overlap send different mails.
func (f *Function) Run(ctx context.Context) error {
	if f.Dispatcher == nil {
		return nil
	}
	return f.Dispatcher.RunBatch(ctx)
}

// Waiting returns how long the oldest mail in the outbox has waited; 0 if there is none.
func (f *Function) Waiting(ctx context.Context) (time.Duration, error) {
	b, err := f.DB.MailBacklog(ctx)
	if err != nil || b.Oldest == nil {
		return 0, err
	}
	return max(0, f.Now().Sub(*b.Oldest)), nil
}
