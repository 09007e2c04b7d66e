// Command release builds the files of a release from the present commit, so that every
// build of the same commit has the same bytes:
//
//	release [flags] -- FLAG...    FLAG are flags of go build; make release
//
// The files depend only on the commit, its tags and the version of Go. They do not depend
// on the time, the time zone, the user, the umask, the folder, or the settings of Go: dates are those of the commit, modes are set here, and go build gets an environment
// of its own.
//
// To read on: source.go describes the commit, compile.go runs go build, files.go lists
// what is in which archive, archive.go writes archives, image.go the container image,
// modules.go finds what is linked into the executables, licenses.go and sbom.go describe
// that.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// A platform is an operating system and an architecture, in the names of Go.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// options say what to build.
type options struct {
	root      string     // of the checkout
	out       string     // the folder of the release, which is replaced
	version   string     // as linked into the executables
	platforms []platform // of the gateway
	functions []string   // for both architectures of Lambda
	tags      string     // of functions
	flags     []string   // of go build
}

func parse(args []string) (options, error) {
	var o options
	var platforms, functions string
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.StringVar(&o.out, "out", "build/release", "the folder of the release, which is replaced")
	flags.StringVar(&o.version, "version", "", "the version that FLAG... links")
	flags.StringVar(&platforms, "platforms", "", "for which to build the gateway, such as 'linux/amd64 linux/arm64'")
	flags.StringVar(&functions, "functions", "", "the functions, such as 'login logout'")
	flags.StringVar(&o.tags, "tags", "", "the build tags of functions")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.root, o.flags, o.functions = ".", flags.Args(), strings.Fields(functions)
	for name := range strings.FieldsSeq(platforms) {
		goos, goarch, ok := strings.Cut(name, "/")
		if !ok {
			return o, fmt.Errorf("-platforms has %q, want names such as linux/amd64", name)
		}
		o.platforms = append(o.platforms, platform{goos, goarch})
	}
	return o, nil
}

func command(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	src, err := readSource(ctx, o.root)
	if err != nil {
		return err
	}
	if src.version != o.version {
		return fmt.Errorf("the version is set to %q, but that of this commit is %q: unset GATEWAY_VERSION", o.version, src.version)
	}
	if strings.HasSuffix(src.version, "dirty") {
		return errors.New("the working tree has changes; a release is built from a commit")
	}
	// The release appears whole or not at all.
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	work, err := os.MkdirTemp(filepath.Dir(o.out), "release-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	names, err := build(ctx, o, src, work)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(o.out); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(work, "files"), o.out); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d files of %s are in %s:\n\n", len(names), src.name, o.out)
	for _, name := range names {
		fmt.Fprintln(out, name)
	}
	return nil
}

// build writes the files of the release into the folder "files" of work, and returns
// their names.
func build(ctx context.Context, o options, src source, work string) ([]string, error) {
	compiled, err := compile(ctx, o, filepath.Join(work, "executables"))
	if err != nil {
		return nil, err
	}
	mods, err := readModules(ctx, o.root, compiled)
	if err != nil {
		return nil, err
	}
	files, err := releaseFiles(ctx, src, compiled, mods)
	if err != nil {
		return nil, err
	}
	files = append(files, entry{name: "SHA256SUMS", mode: 0o644, data: sums(files)})
	dir := filepath.Join(work, "files")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, f.mode); err != nil {
			return nil, err
		}
		names = append(names, f.name)
	}
	slices.Sort(names)
	return names, nil
}
