package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/background"
	"github.com/voiceassist/gateway/shared/foundation/uid"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/store"
)

const (
	batch        = 20              // mails that are leased at a time
	leaseTime    = 2 * time.Minute // of a batch, and again of each mail that is begun
	loopInterval = 5 * time.Second // between two rounds of the loop, unless woken
	minSendTime  = 5 * time.Second // with less time left, no mail is begun

	firstRetry = 30 * time.Second // after the first temporary failure of a mail; doubles, with jitter
	lastRetry  = time.Hour
	firstPause = 5 * time.Second // after a failure of the mail server; doubles, with jitter
	lastPause  = time.Minute

	maxError = 500 // bytes of an error that are stored
)

// A Dispatcher sends what is in the outbox. It is safe for concurrent use, and any number
// of dispatchers can share a database.
type Dispatcher struct {
	db        *store.DB
	codec     *linktoken.Codec
	templates func() (*templates, error)
	transport transport
	public    *url.URL
	from      string
	now       func() time.Time
	wake      chan struct{}

	mu       sync.Mutex
	failures int       // of the mail server, in a row
	paused   time.Time // no attempt before
}

// New returns a dispatcher for the outbox in db, or nil if mails go nowhere. It returns
// an error if the templates cannot be read any more.
func New(db *store.DB, s Settings, ring *keyring.Ring, now func() time.Time) (*Dispatcher, error) {
	t := s.transport()
	if t == nil {
		return nil, nil //nolint:nilnil // no dispatcher is a valid configuration
	}
	// The built-in templates wait for the first mail: they take more memory than the rest of
	// the start.
	parsed := sync.OnceValues(func() (*templates, error) { return parseTemplates(s.Templates) })
	if s.Templates != "" {
		if _, err := parsed(); err != nil {
			return nil, fmt.Errorf("mail templates: %w", err)
		}
	}
	return &Dispatcher{
		db: db, codec: linktoken.NewCodec(ring), templates: parsed, transport: t, public: s.Public, from: s.From,
		now: now, wake: make(chan struct{}, 1),
	}, nil
}

// Wake makes [Dispatcher.Loop] look for mails now. It does not block.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Loop sends mails until ctx ends.
func (d *Dispatcher) Loop(ctx context.Context) {
	background.Loop{Failed: "mails cannot be sent", Interval: loopInterval, Jitter: time.Second, Wake: d.wake}.Run(ctx,
		func(ctx context.Context) error {
			if d.pausing() {
				return nil
			}
			return d.RunBatch(ctx)
		})
}

func (d *Dispatcher) pausing() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now().Before(d.paused)
}

// RunBatch sends all mails that are due. A mail that fails does not stop the others. A
// failure of the mail server does, and counts for no mail: they stay due. The error is of
// the server, of the database or of ctx.
func (d *Dispatcher) RunBatch(ctx context.Context) error {
	s := &sending{Dispatcher: d, ctx: ctx}
	defer s.close()
	for ctx.Err() == nil && !nearDeadline(ctx) {
		lease, now := uid.New(), d.now()
		mails, err := d.db.LeaseMails(ctx, lease, now, now.Add(leaseTime), batch)
		if err != nil || len(mails) == 0 {
			return err
		}
		err = s.sendAll(lease, mails)
		d.note(err)
		if err := errors.Join(err, d.release(ctx, lease)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// release ends the leases of mails that were not begun, even if ctx has ended.
func (d *Dispatcher) release(ctx context.Context, lease string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), minSendTime)
	defer cancel()
	return d.db.ReleaseMails(ctx, lease)
}

// note makes the loop pause after a failure, longer after each one.
func (d *Dispatcher) note(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.failures, d.paused = 0, time.Time{}
		return
	}
	d.paused = d.now().Add(backoff(d.failures, firstPause, lastPause))
	d.failures++
}

// backoff returns the pause after n earlier failures: it doubles up to last, and varies
// by half.
func backoff(n int, first, last time.Duration) time.Duration {
	d := last
	if n < 16 {
		d = min(first<<n, last)
	}
	return d/2 + rand.N(d/2)
}

// nearDeadline reports whether the deadline of ctx leaves no time for another mail. Like
// all deadlines, it is on the machine's clock.
func nearDeadline(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(deadline) < minSendTime
}

// A sending is one run, with one connection.
type sending struct {
	*Dispatcher

	ctx context.Context //nolint:containedctx // lives as long as one call of RunBatch
	on  connection      // nil until the first mail
}

func (s *sending) close() {
	if s.on != nil {
		s.on.close()
		s.on = nil
	}
}

// sendAll sends the mails in order. It stops at a failure of the server.
func (s *sending) sendAll(lease string, mails []mail.Message) error {
	for _, m := range mails {
		if nearDeadline(s.ctx) {
			return nil
		}
		if err := s.sendOne(lease, m); err != nil && !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
	return nil
}

// errTwice is the error of a mail that was interrupted twice.
var errTwice = errors.New("the outcome of two attempts is unknown; it may have been sent twice")

// sendOne sends one mail and stores the outcome. It returns an error only if other mails
// would fail, too, or the lease was lost.
func (s *sending) sendOne(lease string, m mail.Message) error {
	if m.Interrupted && m.Repeated {
		return s.settle(lease, m, mail.Outcome{Result: mail.Dead, Attempts: m.Attempts, Error: errTwice.Error()})
	}
	if s.on == nil {
		c, err := s.transport.open(s.ctx)
		if err != nil {
			return err
		}
		s.on = c
	}
	expires := s.now().Add(m.Kind.Purpose().Lifetime()).Truncate(time.Second)
	valid, err := s.db.ExtendLinkToken(s.ctx, m.Token, expires)
	if err != nil {
		return err
	}
	if !valid {
		return s.settle(lease, m, mail.Outcome{Result: mail.Dropped, Attempts: m.Attempts})
	}
	msg, err := s.message(m, expires)
	if err != nil {
		return s.settle(lease, m, mail.Outcome{Result: mail.Dead, Attempts: m.Attempts + 1, Error: text(err)})
	}
	if err := s.db.StartMail(s.ctx, m, lease, s.now().Add(leaseTime)); err != nil {
		return err
	}
	err = s.on.send(s.ctx, m.ID, msg)
	outcome, outage := s.outcome(m, err)
	if outage || outcome.Uncertain {
		s.close()
	}
	if err := s.settle(lease, m, outcome); err != nil {
		return err
	}
	if outage {
		return err
	}
	return nil
}

// outcome returns what an attempt that ended with err means, and whether the server
// failed.
func (s *sending) outcome(m mail.Message, err error) (o mail.Outcome, outage bool) {
	if err == nil {
		return mail.Outcome{Result: mail.Sent, Attempts: m.Attempts}, false
	}
	o = mail.Outcome{DueAt: s.now(), Attempts: m.Attempts, Error: text(err)}
	f, ok := errors.AsType[*failure](err)
	switch {
	case !ok || f.scope == ofServer:
		outage = true
	case f.scope == permanent:
		o.Result = mail.Dead
		o.Attempts++
	default:
		o.DueAt = s.now().Add(backoff(m.Attempts, firstRetry, lastRetry))
		o.Uncertain = f.scope == uncertain
		o.Attempts++
	}
	if o.Result == mail.Waiting && s.now().Sub(m.CreatedAt) > mail.MaxAge {
		o.Result = mail.Dead
	}
	return o, outage
}

// settle stores the outcome, even if ctx has ended: it says whether the mail was sent.
func (s *sending) settle(lease string, m mail.Message, o mail.Outcome) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), minSendTime)
	defer cancel()
	if o.Result == mail.Dead {
		slog.LogAttrs(ctx, slog.LevelWarn, "a mail cannot be sent", slog.String("mail_id", m.ID), slog.String("kind", string(m.Kind)),
			slog.String("user_id", string(m.User)), slog.String("cause", o.Error))
	}
	return s.db.SettleMail(ctx, m, lease, o, s.now())
}

// text returns the text of an error for the log and the outbox: in one line, not too
// long, and without the address that the client appends.
func text(err error) string {
	t, _, _ := strings.Cut(err.Error(), ", affected ")
	t = strings.ToValidUTF8(strings.Join(strings.Fields(t), " "), "?")
	return strings.ToValidUTF8(t[:min(len(t), maxError)], "")
}

// message renders m. Its Message-ID is the same for every attempt.
func (s *sending) message(m mail.Message, expires time.Time) (*gomail.Msg, error) {
	t, err := s.templates()
	if err != nil {
		return nil, err
	}
	l, err := t.render(m, s.public, s.codec.Encode(m.Token, m.Kind.Purpose(), expires), expires)
	if err != nil {
		return nil, err
	}
	msg := gomail.NewMsg()
	if err := errors.Join(msg.From(s.from), msg.To(m.Recipient.ASCII())); err != nil {
		return nil, err
	}
	msg.SetMessageIDWithValue(m.ID + "@" + s.public.Hostname())
	msg.SetDateWithValue(m.CreatedAt)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 section 5: no automatic answers
	msg.Subject(l.subject)
	msg.SetBodyString(gomail.TypeTextPlain, l.text)
	msg.AddAlternativeString(gomail.TypeTextHTML, l.html)
	return msg, nil
}
