// Package test_test plays the gateway as it is delivered: the built binary over
// real TLS, and the built functions under the Runtime API of Lambda, on real
// databases.
package test_test

import (
	"os"
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(faastest.Run(withCluster{m})) }

// withCluster runs the tests while a PostgreSQL can be had.
type withCluster struct{ m *testing.M }

func (w withCluster) Run() int { return storetest.Run(w.m) }
