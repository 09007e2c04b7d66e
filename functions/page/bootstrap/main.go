// Command bootstrap is the page function on AWS Lambda.
package main

import (
	"context"
	"net/http"
	"time"

	"github.com/voiceassist/gateway/functions/page"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/setup"
)

func main() { faas.Main(open) }

// settings are the settings of the function, none of them a secret.
type settings struct {
	setup.Function

	Page page.Settings
}

// Load loads all settings.
func (s *settings) Load(r setting.Reader) { setting.Load(r, &s.Function, &s.Page) }

// open wires the files of the page.
func open(_ context.Context, s *settings) (http.Handler, error) {
	f := &page.Function{Settings: s.Page, Now: time.Now}
	return s.Handler(s.Limiter(nil, nil), f.Pages()), nil
}
