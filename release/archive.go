package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// An entry is a file of the release or in an archive, or a folder with an owner, whose
// name ends in a slash.
type entry struct {
	name string
	mode os.FileMode
	data []byte
	user int // owner and group in a tar file
}

// sorted returns the entries in the order of their names, each below the prefix.
func sorted(prefix string, entries []entry) []entry {
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].name = prefix + entries[i].name
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return entries
}

// tarOf returns the entries as a tar file, with the same time for all of them.
func tarOf(entries []entry, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: e.name, Mode: int64(e.mode), Size: int64(len(e.data)),
			Uid: e.user, Gid: e.user, ModTime: at, Format: tar.FormatPAX,
		}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("tar %s: %w", e.name, err)
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, fmt.Errorf("tar %s: %w", e.name, err)
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// gzipped returns the entries as a compressed tar file.
func gzipped(entries []entry, at time.Time) ([]byte, error) {
	packed, err := tarOf(entries, at)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b) // without a name and a time
	if _, err := w.Write(packed); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

// zipOf returns the entries as a ZIP file.
func zipOf(entries []entry, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		// Modified is also written as local time without a zone, so it is in UTC.
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: at.UTC()}
		h.SetMode(e.mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, fmt.Errorf("zip %s: %w", e.name, err)
		}
		if _, err := f.Write(e.data); err != nil {
			return nil, fmt.Errorf("zip %s: %w", e.name, err)
		}
	}
	err := w.Close()
	return b.Bytes(), err
}

// sums returns the file that sha256sum -c reads.
func sums(files []entry) []byte {
	var b bytes.Buffer
	for _, f := range sorted("", files) {
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(f.data), f.name)
	}
	return b.Bytes()
}
