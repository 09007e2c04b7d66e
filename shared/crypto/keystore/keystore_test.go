package keystore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return start.Add(d) }

func key(text string, published, signs time.Duration) keystore.Key {
	return keystore.Key{Text: secret.String(text), Published: at(published), Signs: at(signs)}
}

// A keyMaker makes "key 1", "key 2" and so on.
func keyMaker() func() (secret.String, error) {
	n := 0
	return func() (secret.String, error) {
		n++
		return secret.String(fmt.Sprintf("key %d", n)), nil
	}
}

func TestKeys_RotateSigningKeys(t *testing.T) {
	t.Parallel()
	plan := keystore.Plan{Publish: time.Hour, Reload: time.Minute, Retain: 20 * time.Minute, MinAge: 24 * time.Hour}
	fresh := keyMaker()
	var keys keystore.Keys
	now := start
	for _, want := range []struct {
		step   keystore.Step
		after  time.Duration // the step before
		signs  secret.String // then
		others []secret.String
	}{
		{keystore.Begin, 0, "key 1", nil},
		{keystore.Publish, 24 * time.Hour, "key 1", []secret.String{"key 2"}},
		{keystore.Sign, time.Hour, "key 2", []secret.String{"key 1"}},
		{keystore.Remove, 20 * time.Minute, "key 2", nil},
		{keystore.Publish, 24*time.Hour - 20*time.Minute, "key 2", []secret.String{"key 3"}},
	} {
		step, due := keys.Next(plan)
		if step != want.step || step != keystore.Begin && !due.Equal(now.Add(want.after)) {
			t.Fatalf("the next step is %s at %s, want %s at %s", step, due, want.step, now.Add(want.after))
		}
		if step != keystore.Begin {
			now = due
		}
		var err error
		if keys, err = keys.Apply(step, plan, now, fresh); err != nil {
			t.Fatal(err)
		}
		previous, signing, next := keys.Split(now)
		var others []secret.String
		for _, k := range slices.Concat(previous, next) {
			others = append(others, k.Text)
		}
		if signing.Text != want.signs || !slices.Equal(others, want.others) {
			t.Errorf("after %s %q signs, and %q are accepted", step, signing.Text.Reveal(), fmt.Sprint(len(others)))
		}
		if len(next) > 0 && !next[0].Signs.IsZero() {
			t.Errorf("after %s the next key knows already when it signs", step)
		}
	}
	if _, err := keys.Apply(keystore.Remove, plan, now, fresh); err == nil {
		t.Error("a step that is not the next was taken")
	}
}

func TestKeys_NewSecretIsAcceptedBeforeItSigns(t *testing.T) {
	t.Parallel()
	plan := keystore.Plan{Reload: 30 * time.Second, Retain: time.Hour}
	keys, err := keystore.Keys{key("key 0", 0, 0)}.Apply(keystore.Publish, plan, at(time.Minute), keyMaker())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		at    time.Duration
		signs secret.String
	}{
		{-time.Hour, "key 0"}, // the clock went back
		{time.Minute, "key 0"}, {89 * time.Second, "key 0"}, {90 * time.Second, "key 1"}, {time.Hour, "key 1"},
	} {
		if _, signing, _ := keys.Split(at(want.at)); signing.Text != want.signs {
			t.Errorf("at %s %q signs, want %q", want.at, signing.Text.Reveal(), want.signs.Reveal())
		}
	}
	if step, due := keys.Next(plan); step != keystore.Remove || !due.Equal(at(90*time.Second+time.Hour)) {
		t.Errorf("the next step is %s at %s", step, due)
	}
}

func TestFile_RoundTrips(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	f := keystore.In(dir)
	if set, err := f.Read(); err != nil || !cmp.Equal(set, keystore.Set{}) {
		t.Errorf("no file reads as %v, %v", set, err)
	}
	want := keystore.Set{
		Secrets: keystore.Keys{key("a secret", 0, 0)},
		Data:    keystore.Keys{key("a data secret", 0, 0), key("the next", time.Hour, time.Hour)},
		Signing: keystore.Keys{key("-----BEGIN\n\"", 0, 0), {Text: "another", Published: at(time.Hour)}},
	}
	// A file that a crash left behind does no harm.
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{f.Path() + ".new", f.Path() + ".lock"} {
		if err := os.WriteFile(left, []byte("half of a key"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Update(t.Context(), func(keystore.Set) (keystore.Set, error) { return want, nil }); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Read(); err != nil || !cmp.Equal(got, want) {
		t.Errorf("the set reads as %v, %v", got, err)
	}
	info, err := os.Stat(f.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(f.Path() + ".new"); err == nil {
		t.Error("the draft is still there")
	}
	refused := errors.New("refused")
	err = f.Update(t.Context(), func(set keystore.Set) (keystore.Set, error) { return keystore.Set{}, refused })
	if got, _ := f.Read(); !errors.Is(err, refused) || !cmp.Equal(got, want) {
		t.Errorf("a change that was refused gave %v, and left %v", err, got)
	}
	if err := f.Update(t.Context(), func(set keystore.Set) (keystore.Set, error) { return set, nil }); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat(f.Path()); err != nil || !os.SameFile(info, after) {
		t.Error("no change wrote the file again")
	}
}

func TestFile_SerializesChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const writers, each = 8, 5
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each { // each with a file of its own, as processes have
				err := keystore.In(dir).Update(t.Context(), func(set keystore.Set) (keystore.Set, error) {
					n := time.Duration(len(set.Secrets))
					set.Secrets = append(slices.Clone(set.Secrets), key("x", n, n))
					return set, nil
				})
				if err != nil {
					t.Error(err)
				}
				if _, err := keystore.In(dir).Read(); err != nil {
					t.Errorf("a reader saw half a file: %v", err)
				}
			}
		})
	}
	all.Wait()
	if set, err := keystore.In(dir).Read(); err != nil || len(set.Secrets) != writers*each {
		t.Errorf("%d changes left %d keys, %v", writers*each, len(set.Secrets), err)
	}
}

func TestFile_RejectsInvalidStates(t *testing.T) {
	t.Parallel()
	const secret, time0, time1 = `"key":"hunter2"`, `"2026-03-01T12:00:00Z"`, `"2026-03-01T13:00:00Z"`
	one := `{` + secret + `,"published":` + time0 + `,"signs":` + time0 + `}`
	next := `{` + secret + `,"published":` + time0 + `}`
	for name, text := range map[string]string{
		"nothing":                     ``,
		"half a file":                 `{"secrets":[` + one,
		"more than one value":         `{"secrets":[` + one + `]}{}`,
		"a member of another version": `{"secrets":[` + one + `],"more":1}`,
		"no text":                     `{"secrets":[{"published":` + time0 + `,"signs":` + time0 + `}]}`,
		"not published":               `{"secrets":[{` + secret + `,"signs":` + time0 + `}]}`,
		"only a next key":             `{"signing_keys":[` + next + `]}`,
		"a next key that is not last": `{"signing_keys":[` + one + `,` + next + `,` + one + `]}`,
		"times that go back":          `{"signing_keys":[{` + secret + `,"published":` + time0 + `,"signs":` + time1 + `},` + one + `]}`,
		"a time that is none":         `{"secrets":[{` + secret + `,"published":"hunter2"}]}`,
		"too long":                    `{"secrets":[` + one + `]}` + strings.Repeat(" ", 256<<10),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := keystore.In(t.TempDir())
			if err := os.WriteFile(f.Path(), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := f.Read()
			if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), f.Path()) {
				t.Errorf("got %v, want an error that names the file and quotes nothing", err)
			}
			if err := f.Update(t.Context(), func(keystore.Set) (keystore.Set, error) { return keystore.Set{}, nil }); err == nil {
				t.Error("a file that cannot be read was replaced")
			}
		})
	}
}
