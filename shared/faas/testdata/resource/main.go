// Command resource is a function that a stack asks for a custom resource.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/voiceassist/gateway/shared/faas"
	"github.com/voiceassist/gateway/shared/foundation/setting"
)

func main() { faas.MainResource(open) }

type settings struct{ wrong bool }

// Load loads REDIS_URL.
func (s *settings) Load(r setting.Reader) { s.wrong = r.Secret("REDIS_URL") == "wrong" }

func open(_ context.Context, s *settings) (faas.Function, error) {
	if s.wrong {
		return faas.Function{}, errors.New("REDIS_URL is\nwrong")
	}
	return faas.Function{Resource: resource, Command: command}, nil
}

func resource(ctx context.Context, properties map[string]any) (map[string]any, error) {
	switch properties["Do"] {
	case "fail":
		return nil, errors.New("line one,\nline two \x00\t" + strings.Repeat("<é>", 1000))
	case "panic":
		panic("boom")
	case "wait":
		<-ctx.Done()
		return nil, fmt.Errorf("wait: %w", ctx.Err())
	case "hang":
		select {}
	}
	return map[string]any{"Did": fmt.Sprint(properties["Do"])}, nil
}

func command(_ context.Context, action string) (any, error) {
	if action == "panic" {
		panic("boom")
	}
	if action != "status" {
		return nil, errors.New("no such\naction")
	}
	return map[string]int{"version": 5}, nil
}
