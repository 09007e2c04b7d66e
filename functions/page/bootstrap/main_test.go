package main

import (
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
	"github.com/voiceassist/gateway/shared/setup"
)

func TestSettings_AreInTheTemplate(t *testing.T) {
	t.Parallel()
	faastest.CheckTemplate(t, new(setup.Function))
}
