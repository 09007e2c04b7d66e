// Command bootstrap is the page function on AWS Lambda.
package main

import (
	"context"
	"net/http"

	"github.com/voiceassist/gateway/functions/page"
	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/setup"
)

func main() { faas.Main(open) }

// open wires the files of the page. The function has no settings of its own, and no
// secret.
func open(_ context.Context, s *setup.Function) (http.Handler, error) {
	return s.Handler(s.Limiter(nil, nil), new(page.Function).Pages()), nil
}
