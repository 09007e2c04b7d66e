package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/voiceassist/gateway/cmd/gateway/internal/backup"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/sqlite"
)

// in returns the settings of a gateway with its data in dir, and a database server or the
// embedded database.
func in(dir string, server bool) backup.Settings {
	env := map[string]string{"DATA_DIR": dir}
	if server {
		env["DATABASE_URL"] = "postgres://db.example.org/gateway"
	}
	return *setting.Of[backup.Settings](config.Map(env))
}

// job returns a backup of a gateway with a database server, whose dump is a few words, and
// with files in every place.
func job(t *testing.T) backup.Job {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content(t) {
		write(t, filepath.Join(dir, name), text)
	}
	if err := os.Remove(filepath.Join(dir, backup.DumpName)); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "keys.json.lock"), "not in a backup")
	return backup.Job{
		Settings: in(dir, true), Path: filepath.Join(t.TempDir(), "gateway.backup"), Dump: []string{"echo", "a dump"},
		Errors: io.Discard, Version: "v1.2.3", Now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC),
		Inspect: func(context.Context, string) (backup.State, error) {
			return backup.State{Schema: store.SchemaVersion, AuditHead: "7:abc"}, nil
		},
	}
}

// content returns the files of the backup of [job].
func content(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{
		"gateway.dump": "a dump\n", "keys.json": `{"secrets": []}`, "jwt_secret": "older", "tls/gateway.pem": "a certificate",
		"mail/new/1.eml": strings.Repeat("a mail\n", 100),
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// files returns all files in a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.IsDir() {
			return nil
		}
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		found[filepath.ToSlash(name)] = string(text)
		if info, statErr := d.Info(); statErr == nil && info.Mode().Perm() != 0o600 && string(text) != "mine\n" {
			t.Errorf("%s has the mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func same(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for name, text := range a {
		if other, ok := b[name]; !ok || other != text {
			return false
		}
	}
	return true
}

// source returns the backup in the file, to be restored into dir.
func source(path, dir string, ids backup.Identities) backup.Source {
	return backup.Source{
		Settings: in(dir, true), Path: path, Identities: ids,
		Verify: func(context.Context, string, backup.Manifest) error { return nil },
	}
}

func create(t *testing.T, j backup.Job) backup.Manifest {
	t.Helper()
	m, err := backup.Create(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func key(t *testing.T) (backup.Recipients, backup.Identities) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return backup.Recipients{id.Recipient()}, backup.Identities{id}
}

func TestCreate_ContainsWhatCannotBeMadeAgain(t *testing.T) {
	t.Parallel()
	to, with := key(t)
	for _, encrypted := range []bool{false, true} {
		j, dir := job(t), filepath.Join(t.TempDir(), "new", "data")
		s := source(j.Path, dir, nil)
		if encrypted {
			j.Recipients, s.Identities = to, with
		}
		before := files(t, j.Dir)
		m := create(t, j)
		if m.Schema != store.SchemaVersion || m.AuditHead != "7:abc" || m.Engine != backup.Server || m.Version != "v1.2.3" || !m.CreatedAt.Equal(j.Now) {
			t.Errorf("got the manifest %+v", m)
		}
		text, err := os.ReadFile(j.Path)
		if err != nil || encrypted == bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
			t.Errorf("encrypted %t: the backup begins with %.20q, %v", encrypted, text, err)
		}
		if !same(files(t, j.Dir), before) || len(files(t, filepath.Dir(j.Path))) != 1 {
			t.Errorf("the backup left %v and %v", files(t, j.Dir), files(t, filepath.Dir(j.Path)))
		}
		planned, paths, err := backup.Plan(t.Context(), s)
		if err != nil || len(paths) != len(content(t)) || !slices.Contains(paths, filepath.Join(dir, "tls", "gateway.pem")) || planned.AuditHead != m.AuditHead {
			t.Errorf("the plan is %+v, %v, %v", planned, paths, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the plan made %s: %v", dir, err)
		}
		if _, err := backup.Restore(t.Context(), s); err != nil || !same(files(t, dir), content(t)) {
			t.Errorf("restored %v, %v; want %v", files(t, dir), err, content(t))
		}
	}
}

// TestCreate_ReplacesNothing also runs twice, and beside another backup.
func TestCreate_ReplacesNothing(t *testing.T) {
	t.Parallel()
	j := job(t)
	write(t, filepath.Join(j.Dir, ".backup", "gateway.dump"), "of a backup that was killed")
	create(t, j)
	before := files(t, filepath.Dir(j.Path))
	if _, err := backup.Create(t.Context(), j); err == nil || !strings.Contains(err.Error(), "exists, and a backup replaces no file") {
		t.Errorf("a second backup with the same name: %v", err)
	}
	if !same(files(t, filepath.Dir(j.Path)), before) {
		t.Error("a second backup changed the first")
	}
	other := j
	other.Path += "2"
	other.Inspect = func(context.Context, string) (backup.State, error) {
		third := j
		third.Path += "3"
		_, err := backup.Create(t.Context(), third)
		return backup.State{}, err
	}
	if _, err := backup.Create(t.Context(), other); err == nil || !strings.Contains(err.Error(), "another backup of "+j.Dir+" is running") {
		t.Errorf("a backup beside another: %v", err)
	}
	late := j
	late.Path += "4"
	late.Dump = []string{"sh", "-c", `echo mine > "$0"; echo a dump`, late.Path} // somebody takes the name
	if _, err := backup.Create(t.Context(), late); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("the name was taken meanwhile: %v", err)
	}
	if text, err := os.ReadFile(late.Path); string(text) != "mine\n" || len(files(t, filepath.Dir(j.Path))) != 2 {
		t.Errorf("%q %v; left: %v", text, err, files(t, filepath.Dir(j.Path)))
	}
}

func TestCreate_LeavesNothingAfterAnError(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	with := func(dump ...string) func(*backup.Job) context.Context {
		return func(j *backup.Job) context.Context { j.Dump = dump; return t.Context() }
	}
	for name, change := range map[string]func(*backup.Job) context.Context{
		"a dump that fails":  with("sh", "-c", "echo part; exit 3"),
		"a dump of no bytes": with("true"),
		"no such program":    with("no-such-program"),
		"an interrupt":       func(*backup.Job) context.Context { return ended },
		"keys that change": func(j *backup.Job) context.Context {
			j.Dump = []string{"sh", "-c", `echo >> "$0"; echo a dump`, filepath.Join(j.Dir, "keys.json")}
			return t.Context()
		},
	} {
		j := job(t)
		ctx := change(&j)
		if m, err := backup.Create(ctx, j); err == nil {
			t.Errorf("%s: got %+v", name, m)
		}
		if left := files(t, filepath.Dir(j.Path)); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
		if _, err := os.Stat(filepath.Join(j.Dir, ".backup")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: left copies in DATA_DIR, %v", name, err)
		}
	}
}

// TestCreate_TakesTheKeysOfTheDatabase rotates the keys once while the database is copied.
func TestCreate_TakesTheKeysOfTheDatabase(t *testing.T) {
	t.Parallel()
	j := job(t)
	j.Dump = []string{"sh", "-c", `[ -e "$0.once" ] || echo rotated > "$0"; touch "$0.once"; cat "$0"`, filepath.Join(j.Dir, "keys.json")}
	create(t, j)
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := backup.Restore(t.Context(), source(j.Path, dir, nil)); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); got["keys.json"] != "rotated\n" || got["gateway.dump"] != "rotated\n" {
		t.Errorf("got the keys %q with the database of %q", got["keys.json"], got["gateway.dump"])
	}
}

// TestRestore_DetectsDamage cuts a backup at every length, and changes each of its bytes.
// The result is an error and no file, or the files that were backed up.
func TestRestore_DetectsDamage(t *testing.T) {
	t.Parallel()
	to, with := key(t)
	for name, tt := range map[string]struct {
		to   backup.Recipients
		with backup.Identities
	}{"plain": {}, "encrypted": {to, with}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := job(t)
			j.Recipients = tt.to
			create(t, j)
			whole, err := os.ReadFile(j.Path)
			if err != nil {
				t.Fatal(err)
			}
			damaged, accepted := filepath.Join(t.TempDir(), "damaged"), 0
			dir := filepath.Join(t.TempDir(), "data")
			attempt := func(what string, text []byte) {
				write(t, damaged, string(text))
				_, err := backup.Restore(t.Context(), source(damaged, dir, tt.with))
				got := files(t, dir)
				if err != nil && len(got) > 0 || err == nil && !same(got, content(t)) {
					t.Errorf("%s: %v, and %d files", what, err, len(got))
				}
				if err == nil {
					accepted++
				}
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			for n := 0; n < len(whole); n += 3 {
				attempt(fmt.Sprintf("cut after %d bytes", n), whole[:n])
			}
			if accepted > 0 {
				t.Errorf("%d incomplete backups were restored", accepted)
			}
			attempt("with bytes behind it", append(slices.Clone(whole), "more"...))
			for n := range whole {
				changed := slices.Clone(whole)
				changed[n] ^= 0x40
				attempt(fmt.Sprintf("byte %d changed", n), changed)
			}
			if limit := 16; accepted > limit { // fields of gzip that say nothing, such as its time
				t.Errorf("%d changed backups were restored", accepted)
			}
		})
	}
}

// archive returns a backup with these files, whatever they are, after the manifest.
func archive(t *testing.T, manifest any, files ...tar.Header) string {
	t.Helper()
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err = w.WriteHeader(&tar.Header{Name: "manifest.json", Size: int64(len(text))})
	if err == nil {
		_, err = w.Write(text)
	}
	for _, h := range files {
		err = errors.Join(err, w.WriteHeader(&h))
	}
	if err := errors.Join(err, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gateway.backup")
	write(t, path, b.String())
	return path
}

const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestRestore_Refuses(t *testing.T) {
	t.Parallel()
	good := backup.Manifest{Format: 1, Version: "v9.0.0", Engine: backup.Server, Schema: store.SchemaVersion}
	with := func(change func(*backup.Manifest)) backup.Manifest { m := good; change(&m); return m }
	named := func(name string) backup.Manifest {
		return with(func(m *backup.Manifest) { m.Files = []backup.File{{Name: name, SHA256: emptySum}} })
	}
	for name, tt := range map[string]struct {
		path, want string
	}{
		"a newer schema":      {archive(t, with(func(m *backup.Manifest) { m.Schema++ })), "of gateway v9.0.0; this gateway knows versions up to"},
		"a newer format":      {archive(t, with(func(m *backup.Manifest) { m.Format++ })), "the format 2 of gateway v9.0.0"},
		"another database":    {archive(t, with(func(m *backup.Manifest) { m.Engine = backup.Embedded })), "but DATABASE_URL is set"},
		"a file outside":      {archive(t, named("../evil"), tar.Header{Name: "../evil"}), `a file with the name "../evil"`},
		"an absolute name":    {archive(t, named("/evil"), tar.Header{Name: "/evil"}), `a file with the name "/evil"`},
		"a file twice":        {archive(t, with(func(m *backup.Manifest) { m.Files = []backup.File{{"a", 0, emptySum}, {"a", 0, emptySum}} }), tar.Header{Name: "a"}, tar.Header{Name: "a"}), "exists"},
		"a link":              {archive(t, named("a"), tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), `the backup contains "a"`},
		"an unnamed file":     {archive(t, good, tar.Header{Name: "a"}), `"a", which its manifest does not name`},
		"a missing file":      {archive(t, named("a")), "does not contain a, which its manifest names"},
		"another checksum":    {archive(t, with(func(m *backup.Manifest) { m.Files = []backup.File{{"a", 0, "00"}} }), tar.Header{Name: "a"}), "a has the checksum"},
		"no backup":           {projectFile(t), "the file is not a backup"},
		"another archive":     {archive(t, "a text"), "the backup is damaged"},
		"a file that is none": {filepath.Join(t.TempDir(), "none"), "no such file"},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		s := source(tt.path, dir, nil)
		if _, err := backup.Restore(t.Context(), s); err == nil || !strings.Contains(err.Error(), tt.want) || len(files(t, dir)) > 0 {
			t.Errorf("%s: restore says %v and leaves %v, want %q", name, err, files(t, dir), tt.want)
		}
		if _, _, err := backup.Plan(t.Context(), s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: the plan says %v, want %q", name, err, tt.want)
		}
	}
}

// projectFile returns the path of a file that is no backup.
func projectFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text")
	write(t, path, "a text that is longer than a header")
	return path
}

func TestRestore_OnlyIntoAnEmptyPlace(t *testing.T) {
	t.Parallel()
	j := job(t)
	create(t, j)
	for name, want := range map[string]string{
		"gateway.db": "is not empty: it contains gateway.db", ".restore/keys.json": "of a restore that did not finish", "x": "is not empty",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, name), "mine")
		if _, err := backup.Restore(t.Context(), source(j.Path, dir, nil)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("beside %s: got %v, want %q", name, err, want)
		}
		if got := files(t, dir); len(got) != 1 || got[name] != "mine" {
			t.Errorf("beside %s: left %v", name, got)
		}
	}
	// A key file elsewhere is not replaced, either, and one that appears during the check.
	dir, keys := t.TempDir(), t.TempDir()
	s := source(j.Path, dir, nil)
	s.Settings = *setting.Of[backup.Settings](config.Map(map[string]string{"DATA_DIR": dir, "JWT_KEYS_DIR": keys, "DATABASE_URL": "postgres://h/x"}))
	s.Verify = func(context.Context, string, backup.Manifest) error {
		write(t, filepath.Join(keys, "keys.json"), "mine")
		return nil
	}
	for range 2 {
		if _, err := backup.Restore(t.Context(), s); err == nil || !strings.Contains(err.Error(), "keys.json exists") || len(files(t, dir)) > 0 {
			t.Errorf("beside a key file: %v, left %v", err, files(t, dir))
		}
	}
	if got := files(t, keys); got["keys.json"] != "mine" {
		t.Errorf("the key file is %v", got)
	}
	if err := os.Remove(filepath.Join(keys, "keys.json")); err != nil {
		t.Fatal(err)
	}
	s.Verify = func(context.Context, string, backup.Manifest) error { return nil }
	if _, err := backup.Restore(t.Context(), s); err != nil || files(t, keys)["keys.json"] != content(t)["keys.json"] {
		t.Errorf("into two folders: %v, %v", err, files(t, keys))
	}
}

// TestCreate_Embedded backs up a real database, whose copy is checked.
func TestCreate_Embedded(t *testing.T) {
	t.Parallel()
	j := job(t)
	j.Settings, j.Dump = in(t.TempDir(), false), nil
	file := filepath.Join(j.Dir, "gateway.db")
	if _, err := backup.Create(t.Context(), j); err == nil || len(files(t, filepath.Dir(j.Path))) > 0 {
		t.Errorf("without a database: %v", err)
	}
	db, err := sqlite.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Handle().ExecContext(t.Context(), "CREATE TABLE t (a TEXT)"); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if m := create(t, j); m.Engine != backup.Embedded || !m.Has("gateway.db") {
		t.Errorf("got %+v", m)
	}
}
