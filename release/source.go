package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A source is the commit that a release is built from.
type source struct {
	root    string
	version string    // as scripts/version prints it: v1.2.3+26b4cbc4ebc1
	name    string    // the version in the names of files: v1.2.3
	commit  string    // hash
	time    time.Time // of the commit, in UTC
}

// readSource describes the commit that is checked out at root.
func readSource(ctx context.Context, root string) (source, error) {
	version, err := run(ctx, root, filepath.Join("scripts", "version"))
	if err != nil {
		return source{}, err
	}
	if version == "" {
		return source{}, errors.New("this is no checkout of the Git repository")
	}
	log, err := run(ctx, root, "git", "log", "-1", "--format=%H %ct")
	if err != nil {
		return source{}, err
	}
	commit, seconds, _ := strings.Cut(log, " ")
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return source{}, fmt.Errorf("the time of the commit: %w", err)
	}
	name, _, _ := strings.Cut(version, "+")
	return source{root: root, version: version, name: name, commit: commit, time: time.Unix(unix, 0).UTC()}, nil
}

// tracked returns the committed files that the paths name, files or folders. Paths that
// do not exist are left out.
func (s source) tracked(ctx context.Context, paths ...string) ([]entry, error) {
	list, err := run(ctx, s.root, "git", append([]string{"ls-files", "-z", "--"}, paths...)...)
	if err != nil {
		return nil, err
	}
	var entries []entry
	for name := range strings.SplitSeq(strings.TrimSuffix(list, "\x00"), "\x00") {
		path := filepath.Join(s.root, filepath.FromSlash(name))
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		mode := os.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		entries = append(entries, entry{name: name, mode: mode, data: data})
	}
	return entries, nil
}

// run returns what the program prints, without spaces around it.
func run(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", program, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
