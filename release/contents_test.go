package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// testDeploy checks that the archive for operators has every committed file that Compose
// reads.
func testDeploy(t *testing.T, files map[string][]byte) {
	unpacked := unpack(t, files["gateway-v1.2.3-deploy.tar.gz"])
	const dir = "gateway-v1.2.3-deploy/"
	compose := string(unpacked[dir+"docker-compose.yml"])
	if compose == "" || len(unpacked[dir+".env.example"]) == 0 {
		t.Fatal("the archive lacks docker-compose.yml or .env.example")
	}
	for _, m := range regexp.MustCompile(`(?m)^\s*(?:- |file: |source: |env_file: )"?\./([\w./-]+)`).FindAllStringSubmatch(compose, -1) {
		path := filepath.Clean(m[1])
		tracked, err := run(t.Context(), "..", "git", "ls-files", "--", path)
		if err != nil {
			t.Fatal(err)
		}
		for name := range strings.FieldsSeq(tracked) {
			if _, ok := unpacked[dir+name]; !ok {
				t.Errorf("docker-compose.yml reads %s, which is not in the archive", name)
			}
		}
	}
}

// testImage checks the container image: its digests, its files, and that it is what the
// Dockerfile describes.
func testImage(t *testing.T, files map[string][]byte) {
	dir := t.TempDir()
	for name, data := range unpack(t, files["gateway-v1.2.3-image.tar"]) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	outer, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(outer); err != nil {
		t.Error(err)
	}
	top, err := outer.IndexManifest()
	if err != nil || len(top.Manifests) != 1 {
		t.Fatalf("the image has %v, %v", top, err)
	}
	index, err := outer.ImageIndex(top.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range manifest.Manifests {
		image, err := index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil || config.Architecture != m.Platform.Architecture {
			t.Errorf("the image for %s is for %s, %v", m.Platform, config.Architecture, err)
		}
		contents, err := io.ReadAll(mutate.Extract(image))
		if err != nil {
			t.Fatal(err)
		}
		inside := unpack(t, contents)
		for _, name := range []string{"gateway", "etc/ssl/certs/ca-certificates.crt", "usr/share/doc/gateway/THIRD-PARTY-LICENSES.txt"} {
			if len(inside[name]) < 100_000 {
				t.Errorf("%s in the image for %s has %d bytes", name, m.Platform, len(inside[name]))
			}
		}
		for r := tar.NewReader(bytes.NewReader(contents)); ; {
			h, err := r.Next()
			if err != nil {
				t.Errorf("the image for %s has no folder for data: %v", m.Platform, err)
				break
			}
			if h.Name == "data" && h.Typeflag == tar.TypeDir && h.Uid == nobody && h.Gid == nobody {
				break
			}
		}
	}
	if last := manifest.Manifests[0]; last.Platform.String() != "linux/amd64" {
		t.Errorf("the first image is for %s", last.Platform)
	}
}

// TestImage_IsThatOfTheDockerfile compares what the Dockerfile sets with the image of a
// release.
func TestImage_IsThatOfTheDockerfile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, _ := strings.Cut(strings.ReplaceAll(string(text), "\\\n", " "), "\nFROM scratch\n")
	got := v1.Config{Volumes: map[string]struct{}{}, ExposedPorts: map[string]struct{}{}, Healthcheck: imageConfig.Healthcheck}
	for line := range strings.Lines(last) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "ENV":
			got.Env = append(got.Env, value)
		case "USER":
			got.User = value
		case "VOLUME":
			got.Volumes[value] = struct{}{}
		case "EXPOSE":
			for port := range strings.FieldsSeq(value) {
				got.ExposedPorts[port] = struct{}{}
			}
		case "ENTRYPOINT":
			err = json.Unmarshal([]byte(value), &got.Entrypoint)
		case "CMD":
			err = json.Unmarshal([]byte(value), &got.Cmd)
		case "HEALTHCHECK":
			h := imageConfig.Healthcheck
			command, _ := json.Marshal(h.Test[1:])
			for _, want := range []string{
				"--interval=" + h.Interval.String(), "--timeout=" + h.Timeout.String(), "--start-period=" + h.StartPeriod.String(),
				"--retries=" + strconv.Itoa(h.Retries),
				"CMD " + strings.ReplaceAll(string(command), ",", ", "),
			} {
				if !strings.Contains(value, want) {
					t.Errorf("HEALTHCHECK %s is not %s", value, want)
				}
			}
		case "", "#", "COPY", "LABEL":
		default:
			t.Errorf("the Dockerfile has %s, which the image of a release may lack", name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want, _ := json.Marshal(imageConfig)
	if have, _ := json.Marshal(got); !bytes.Equal(have, want) {
		t.Errorf("the Dockerfile sets %s\nthe image of a release %s", have, want)
	}
}

// testSBOM checks the bill of materials against the schema of CycloneDX, and that it names
// what is known to be in the executables.
func testSBOM(t *testing.T, files map[string][]byte) {
	text := files["gateway-v1.2.3.cdx.json"]
	dir, err := run(t.Context(), "..", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go")
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	for id, file := range map[string]string{
		"http://cyclonedx.org/schema/bom-1.6.schema.json":  "bom-1.6.schema.json",
		"http://cyclonedx.org/schema/spdx.schema.json":     "spdx.schema.json",
		"http://cyclonedx.org/schema/jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		data, err := os.ReadFile(filepath.Join(dir, "schema", file))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(id, schema); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(instance); err != nil {
		t.Error(err)
	}
	var bom struct {
		SerialNumber string
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	uses := map[string]string{}
	for _, d := range bom.Dependencies {
		uses[d.Ref] = strings.Join(d.DependsOn, " ") + " "
	}
	for ref, want := range map[string]string{
		"linux/amd64/gateway": "pkg:golang/modernc.org/sqlite@ pkg:golang/std@ pkg:npm/swagger-ui-dist@",
		"linux/arm64/jwks":    "pkg:golang/github.com/aws/aws-lambda-go@ pkg:golang/std@",
		"image":               "linux/amd64/gateway pkg:golang/" + rootsModule + "@",
	} {
		for part := range strings.FieldsSeq(want) {
			if !strings.Contains(uses[ref], part) {
				t.Errorf("%s does not depend on %s but on %s", ref, part, uses[ref])
			}
		}
	}
	if strings.Contains(uses["linux/arm64/jwks"], "sqlite") || bom.SerialNumber != "" {
		t.Error("the bill of materials lists too much")
	}
}
