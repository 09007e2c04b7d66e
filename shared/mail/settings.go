package mail

import "github.com/voiceassist/gateway/shared/foundation/setting"

// Settings are the settings of what writes mails. Those of what sends them are in
// package delivery, which not every program that writes mails links.
type Settings struct{ Notices bool }

// Load loads MAIL_NOTICES.
func (s *Settings) Load(r setting.Reader) { s.Notices = r.Bool("MAIL_NOTICES", true) }

// Outbox returns an outbox whose mails another process sends.
func (s Settings) Outbox() *Outbox { return &Outbox{Notices: s.Notices} }
