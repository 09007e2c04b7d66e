package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// An executable is one result of go build.
type executable struct {
	platform

	name string // gateway, or that of the function
	pkg  string // relative to the root: functions/login/bootstrap
	data []byte
}

// function reports whether the executable is a function for Lambda.
func (e executable) function() bool { return e.pkg != gatewayPackage }

// inImage reports whether the executable is in the container image.
func (e executable) inImage() bool { return !e.function() && e.os == "linux" }

const gatewayPackage = "cmd/gateway"

// compile builds the gateway and the functions, and keeps what go build writes in dir.
func compile(ctx context.Context, o options, dir string) ([]executable, error) {
	tool, env, err := toolchain(ctx, o.root)
	if err != nil {
		return nil, err
	}
	var all []executable
	for _, p := range o.platforms {
		all = append(all, executable{platform: p, name: "gateway", pkg: gatewayPackage})
	}
	for _, arch := range []string{"amd64", "arm64"} {
		for _, name := range o.functions {
			all = append(all, executable{platform: platform{"linux", arch}, name: name, pkg: "functions/" + name + "/bootstrap"})
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	for i := range all {
		e := &all[i]
		out := filepath.Join(dir, e.os, e.arch, e.name)
		args := append([]string{"build", "-o", out}, o.flags...)
		if e.function() {
			args = append(args, "-tags", o.tags)
		}
		cmd := exec.CommandContext(ctx, tool, append(args, "./"+e.pkg)...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = o.root, os.Stderr, os.Stderr
		cmd.Env = append(env, "GOOS="+e.os, "GOARCH="+e.arch)
		fmt.Fprintf(os.Stderr, "compiling %s for %s\n", e.name, e.platform)
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("compile %s for %s: %w", e.name, e.platform, err)
		}
		if e.data, err = os.ReadFile(out); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// inherited are the variables that say where go build finds and keeps things, and how it
// fetches modules. They do not change what it builds: go.sum has the digest of every
// module.
var inherited = []string{
	"GOCACHE", "GOMODCACHE", "GOPATH",
	"GOPROXY", "GONOPROXY", "GOPRIVATE", "GOINSECURE", "GOSUMDB", "GONOSUMDB",
}

// toolchain returns the go command of this checkout, and its environment. All settings
// that change an executable have fixed values, or their defaults because they are not
// passed on: GOFLAGS, GOEXPERIMENT, CC and the file of go env -w.
func toolchain(ctx context.Context, root string) (tool string, env []string, err error) {
	printed, err := run(ctx, root, "go", append([]string{"env", "-json", "GOROOT"}, inherited...)...)
	if err != nil {
		return "", nil, err
	}
	var values map[string]string
	if err := json.Unmarshal([]byte(printed), &values); err != nil {
		return "", nil, fmt.Errorf("go env: %w", err)
	}
	env = []string{
		"GOENV=off", "GOTOOLCHAIN=local", "GOWORK=off", "GOFIPS140=off", "CGO_ENABLED=0",
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-buildvcs=true -mod=readonly",
	}
	for _, name := range inherited {
		env = append(env, name+"="+values[name])
	}
	// Go reads the commit with Git, whose settings are in HOME: it may have to trust a
	// folder of another user.
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return filepath.Join(values["GOROOT"], "bin", "go"), env, nil
}
