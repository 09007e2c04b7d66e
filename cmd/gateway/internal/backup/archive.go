package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

// maxManifest is the maximum size of a manifest, for some ten thousand files.
const maxManifest = 8 << 20

// pack writes the files in dir that m names, after m itself, to w. It encrypts unless
// there are no recipients.
func pack(ctx context.Context, w io.Writer, m Manifest, dir string, recipients Recipients) error {
	var sealed io.WriteCloser
	if len(recipients) > 0 {
		var err error
		if sealed, err = age.Encrypt(w, recipients...); err != nil {
			return fmt.Errorf("encrypt the backup: %w", err)
		}
		w = sealed
	}
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	header := func(name string, size int64) error {
		return archive.WriteHeader(&tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: m.CreatedAt, Format: tar.FormatPAX})
	}
	err = header(manifestName, int64(len(text)))
	if err == nil {
		_, err = archive.Write(text)
	}
	for _, f := range m.Files {
		if err != nil {
			return err
		}
		if err = header(f.Name, f.Bytes); err == nil {
			err = packFile(ctx, archive, filepath.Join(dir, filepath.FromSlash(f.Name)))
		}
	}
	err = errors.Join(err, archive.Close(), zipped.Close())
	if sealed != nil {
		err = errors.Join(err, sealed.Close())
	}
	return err
}

func packFile(ctx context.Context, w io.Writer, path string) error {
	r, err := os.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, &reader{ctx, r})
	return err
}

// A reader reads until its context ends.
type reader struct {
	ctx context.Context //nolint:containedctx // of one call
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Errors of a backup that cannot be read.
var (
	ErrEncrypted  = errors.New("the backup is encrypted; --passphrase or --identity opens it")
	ErrWrongKey   = errors.New("the passphrase or identity is not the one of the backup")
	errNoBackup   = errors.New("the file is not a backup")
	errIncomplete = errors.New("the backup is incomplete: its end is missing")
)

// unpack reads the backup in the file, and stores its files in dir, which is empty. admit
// decides, before a file is stored, whether the backup can be used. The error says what
// is wrong with the backup; dir may then contain a part of it.
func unpack(ctx context.Context, path, dir string, identities Identities, admit func(Manifest) error) (Manifest, error) {
	f, err := os.Open(path)
	if err != nil {
		return Manifest{}, err
	}
	defer f.Close()
	m, err := unpackStream(ctx, &reader{ctx, f}, dir, identities, admit)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errIncomplete
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func unpackStream(ctx context.Context, r io.Reader, dir string, identities Identities, admit func(Manifest) error) (Manifest, error) {
	zipped, err := decrypt(bufio.NewReader(r), identities)
	if err != nil {
		return Manifest{}, err
	}
	plain, err := gzip.NewReader(zipped)
	if err != nil {
		return Manifest{}, damaged(err, errNoBackup)
	}
	archive := tar.NewReader(plain)
	m, err := readManifest(archive)
	if err == nil {
		err = admit(m)
	}
	if err != nil {
		return m, err
	}
	for _, want := range m.Files {
		if err := unpackFile(archive, dir, want); err != nil {
			return m, err
		}
	}
	if h, err := archive.Next(); err == nil {
		return m, fmt.Errorf("the backup contains %q, which its manifest does not name", h.Name)
	} else if !errors.Is(err, io.EOF) {
		return m, damaged(err, nil)
	}
	// The checksum of gzip, and with encryption the last chunk, are behind the archive.
	if _, err := io.Copy(io.Discard, plain); err != nil { //nolint:gosec // nothing is kept of it
		return m, damaged(err, nil)
	}
	return m, ctx.Err()
}

// decrypt returns the compressed archive in r.
func decrypt(r *bufio.Reader, identities Identities) (io.Reader, error) {
	const magic = "age-encryption.org/"
	begin, err := r.Peek(len(magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch encrypted := bytes.Equal(begin, []byte(magic)); {
	case !encrypted && len(identities) > 0:
		return nil, errors.New("the backup is not encrypted")
	case !encrypted:
		return r, nil
	case len(identities) == 0:
		return nil, ErrEncrypted
	}
	plain, err := age.Decrypt(r, identities...)
	if _, wrong := errors.AsType[*age.NoIdentityMatchError](err); wrong {
		return nil, ErrWrongKey
	}
	if err != nil {
		return nil, damaged(err, nil)
	}
	return plain, nil
}

// damaged returns the error of a backup that cannot be read: instead, unless the file
// ends too early.
func damaged(err, instead error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled), errors.Is(err, os.ErrPermission):
		return err
	case instead != nil:
		return instead
	default:
		return fmt.Errorf("the backup is damaged: %w", err)
	}
}

func readManifest(archive *tar.Reader) (Manifest, error) {
	h, err := archive.Next()
	if err != nil {
		return Manifest{}, damaged(err, nil)
	}
	if h.Name != manifestName || h.Size > maxManifest {
		return Manifest{}, errNoBackup
	}
	text, err := io.ReadAll(archive)
	if err != nil {
		return Manifest{}, damaged(err, nil)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Manifest{}, damaged(err, nil)
	}
	if m.Format != format {
		return m, fmt.Errorf("the backup has the format %d of gateway %s; this gateway reads format %d", m.Format, m.Version, format)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) || strings.Contains(f.Name, `\`) || f.Bytes < 0 {
			return m, fmt.Errorf("the backup contains a file with the name %q", f.Name)
		}
	}
	return m, nil
}

// unpackFile stores the next file of the archive, which must be the wanted one.
func unpackFile(archive *tar.Reader, dir string, want File) error {
	h, err := archive.Next()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the backup does not contain %s, which its manifest names", want.Name)
	}
	if err != nil {
		return damaged(err, nil)
	}
	if h.Name != want.Name || h.Size != want.Bytes || h.Typeflag != tar.TypeReg {
		return fmt.Errorf("the backup contains %q with %d bytes instead of %s with %d bytes", h.Name, h.Size, want.Name, want.Bytes)
	}
	sum := sha256.New()
	if err := writeFile(filepath.Join(dir, filepath.FromSlash(want.Name)), io.TeeReader(archive, sum)); err != nil {
		return damaged(err, nil)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want.SHA256 {
		return fmt.Errorf("the backup is damaged: %s has the checksum %s instead of %s", want.Name, got, want.SHA256)
	}
	return nil
}
