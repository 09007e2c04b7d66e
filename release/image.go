package main

import (
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// nobody is the user and the group that the gateway runs as in a container.
const nobody = 65532

// imageConfig is what the Dockerfile sets. A test compares them.
var imageConfig = v1.Config{
	User:         "65532:65532",
	Env:          []string{"DATA_DIR=/data"},
	Entrypoint:   []string{"/gateway"},
	Cmd:          []string{"serve"},
	Volumes:      map[string]struct{}{"/data": {}},
	ExposedPorts: map[string]struct{}{"8443": {}, "8000": {}},
	Healthcheck: &v1.HealthConfig{
		Test:     []string{"CMD", "/gateway", "healthcheck"},
		Interval: 5 * time.Second, Timeout: 5 * time.Second, StartPeriod: 30 * time.Second, Retries: 6,
	},
}

// imageOf returns the container image as a tar file with the layout of the OCI image
// specification, and its digest: that of one index, which has an image for each
// architecture of Linux.
func imageOf(src source, compiled []executable, documents []entry) ([]byte, v1.Hash, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	annotations := map[string]string{
		"org.opencontainers.image.title":    "VoiceAssist gateway",
		"org.opencontainers.image.version":  src.name,
		"org.opencontainers.image.revision": src.commit,
		"org.opencontainers.image.created":  src.time.Format(time.RFC3339),
		"org.opencontainers.image.licenses": "MIT",
	}
	for _, e := range compiled {
		if !e.inImage() {
			continue
		}
		image, err := imageFor(src, e, documents, annotations)
		if err != nil {
			return nil, v1.Hash{}, fmt.Errorf("%s: %w", e.arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: e.os, Architecture: e.arch}},
		})
	}
	index, _ = mutate.Annotations(index, annotations).(v1.ImageIndex) // an index stays an index
	dir, err := os.MkdirTemp("", "image")
	if err != nil {
		return nil, v1.Hash{}, err
	}
	defer os.RemoveAll(dir)
	written, err := layout.Write(dir, empty.Index)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	// Programs that load the file take the name of the image from these.
	err = written.AppendIndex(index, layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          "docker.io/voiceassist/gateway:" + src.name,
		"org.opencontainers.image.ref.name": src.name,
	}))
	if err != nil {
		return nil, v1.Hash{}, err
	}
	digest, err := index.Digest()
	if err != nil {
		return nil, v1.Hash{}, err
	}
	data, err := packed(dir, src.time)
	return data, digest, err
}

// imageFor returns the image for one architecture. Its layers are the files that change
// rarely, and the program.
func imageFor(src source, gateway executable, documents []entry, annotations map[string]string) (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = gateway.os, gateway.arch, v1.Time{Time: src.time}
	config.Config = imageConfig
	if image, err = mutate.ConfigFile(image, config); err != nil {
		return nil, err
	}
	base := []entry{
		{name: "data/", mode: 0o755, user: nobody}, // a new volume inherits this folder's owner
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: publicAuthorities()},
	}
	base = append(base, sorted("usr/share/doc/gateway/", documents)...)
	for _, part := range []struct {
		by      string
		entries []entry
	}{
		{"certificates of the public authorities, licenses", base},
		{"gateway " + src.version, []entry{{name: "gateway", mode: 0o755, data: gateway.data}}},
	} {
		files, err := tarOf(part.entries, src.time)
		if err != nil {
			return nil, err
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(files)), nil
		}, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.DefaultCompression))
		if err != nil {
			return nil, err
		}
		history := v1.History{Created: v1.Time{Time: src.time}, CreatedBy: part.by}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: history}); err != nil {
			return nil, err
		}
	}
	annotated, _ := mutate.Annotations(image, annotations).(v1.Image) // an image stays an image
	return annotated, nil
}

// publicAuthorities returns the certificates that Mozilla trusts, in PEM. Those whose trust
// has a condition are left out, because a file in this format cannot express it.
func publicAuthorities() []byte {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // to memory
		}
	}
	return b.Bytes()
}

// packed returns the files of the folder as a tar file.
func packed(dir string, at time.Time) ([]byte, error) {
	var entries []entry
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		entries = append(entries, entry{name: strings.TrimPrefix(path, "./"), mode: 0o644, data: data})
		return err
	})
	if err != nil {
		return nil, err
	}
	return tarOf(sorted("", entries), at)
}
