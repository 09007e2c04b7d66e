package main

import (
	"testing"

	"github.com/voiceassist/gateway/shared/faas/faastest"
)

func TestSettings_AreInTheTemplate(t *testing.T) {
	t.Parallel()
	faastest.CheckTemplate(t, new(settings))
}
