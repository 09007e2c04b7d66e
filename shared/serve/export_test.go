package serve

import "github.com/voiceassist/gateway/shared/config"

// CARoot is caRoot, for systems other than that of the test.
func CARoot(env *config.Env, goos string) string { return caRoot(env, goos) }

// SecureHost is secureHost, for the port that tests may not listen on.
func SecureHost(header, port string) (string, error) { return secureHost(header, port) }
