// Command bootstrap is the mail function on AWS Lambda, a job on a schedule.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/voiceassist/gateway/functions/mail"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/mail/delivery"
	"github.com/voiceassist/gateway/shared/store/postgres"
)

func main() { faas.MainJob(open) }

// settings are the settings of the function.
type settings struct {
	Database postgres.Settings
	Keys     keyring.Settings
	Mail     delivery.Settings
}

// Load loads all settings.
func (s *settings) Load(r setting.Reader) { setting.Load(r, &s.Database, &s.Keys, &s.Mail) }

// open wires the store and the dispatcher.
func open(_ context.Context, s *settings) (faas.Function, error) {
	db := s.Database.Open()
	dispatcher, err := delivery.New(db, s.Mail, s.Keys.Ring(), time.Now)
	if err != nil {
		return faas.Function{}, err
	}
	f := &mail.Function{DB: db, Dispatcher: dispatcher, Now: time.Now}
	return faas.Function{
		Close: db.Close,
		Job:   func(ctx context.Context, _ faas.Event) error { return errors.Join(f.Run(ctx), measure(ctx, f)) },
	}, nil
}

// measure writes the metrics of the outbox. It runs after
// each run, also after one that timed out, which is when they matter. Without a
// mail server all mails wait, so it writes nothing.
func measure(ctx context.Context, f *mail.Function) error {
	if f.Dispatcher == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), faas.Margin/2)
	defer cancel()
	waiting, err := f.Waiting(ctx)
	if err != nil {
		return err
	}
	backlog, err := f.DB.MailBacklog(ctx)
	if err != nil {
		return err
	}
	return faas.WriteMetrics(os.Stdout, time.Now(),
		faas.Metric{Name: "OldestMailSeconds", Unit: faas.Seconds, Value: waiting.Seconds()},
		faas.Metric{Name: "MailsWaiting", Unit: faas.Count, Value: float64(backlog.Waiting)},
		faas.Metric{Name: "MailsDead", Unit: faas.Count, Value: float64(backlog.Dead)},
	)
}
