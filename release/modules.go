package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A component is foreign software in a release.
type component struct {
	name, version string
	purl          string // package URL, the identity of the component
	sum           string // of a Go module, as in go.sum
	license       string // SPDX identifier
	texts         []entry
}

// modules is the foreign software in the executables of a release.
type modules struct {
	components  []component         // by purl
	uses        map[string][]string // from the executable to the purls of what is in it
	authorities string              // the purl of the certificates in the image
}

// key names an executable in a release.
func (e executable) key() string { return e.platform.String() + "/" + e.name }

// readModules reads from the executables which modules are linked into them, and from the
// modules what they contain and their licenses.
func readModules(ctx context.Context, root string, compiled []executable) (modules, error) {
	linked := map[string]string{} // path to version
	perExecutable := map[string][]string{}
	sums := map[string]string{}
	var toolchain string
	for _, e := range compiled {
		info, err := buildinfo.Read(bytes.NewReader(e.data))
		if err != nil {
			return modules{}, fmt.Errorf("%s: %w", e.key(), err)
		}
		toolchain = info.GoVersion
		for _, dep := range info.Deps {
			if dep.Replace != nil {
				return modules{}, fmt.Errorf("%s replaces the module %s, so its version is not what it says", e.key(), dep.Path)
			}
			linked[dep.Path], sums[dep.Path] = dep.Version, dep.Sum
			perExecutable[e.key()] = append(perExecutable[e.key()], dep.Path)
		}
	}
	found, err := describe(ctx, root, append(slices.Sorted(maps.Keys(linked)), rootsModule))
	if err != nil {
		return modules{}, err
	}
	std, err := standardLibrary(ctx, root, toolchain)
	if err != nil {
		return modules{}, err
	}
	m := modules{components: []component{std}, uses: map[string][]string{}}
	inside := map[string][]string{} // the purls that a module brings
	for path, components := range found {
		for _, c := range components {
			if c.name == path {
				c.sum = sums[path]
			}
			m.components = append(m.components, c)
			inside[path] = append(inside[path], c.purl)
		}
	}
	m.authorities = inside[rootsModule][0]
	page, err := readPage(root)
	if err != nil {
		return modules{}, err
	}
	m.components = append(m.components, page...)
	for _, e := range compiled {
		purls := []string{std.purl}
		for _, path := range perExecutable[e.key()] {
			purls = append(purls, inside[path]...)
		}
		if e.name == "gateway" || e.name == "page" {
			for _, c := range page {
				purls = append(purls, c.purl)
			}
		}
		slices.Sort(purls)
		m.uses[e.key()] = purls
	}
	slices.SortFunc(m.components, func(a, b component) int { return strings.Compare(a.purl, b.purl) })
	return m, nil
}

// describe returns what each Go module brings: the module itself, and foreign software
// that is embedded in it.
func describe(ctx context.Context, root string, paths []string) (map[string][]component, error) {
	printed, err := run(ctx, root, "go", append([]string{"list", "-m", "-json"}, paths...)...)
	if err != nil {
		return nil, err
	}
	found := map[string][]component{}
	for d := json.NewDecoder(strings.NewReader(printed)); ; {
		var m struct{ Path, Version, Dir string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		c := component{name: m.Path, version: m.Version, purl: "pkg:golang/" + m.Path + "@" + m.Version}
		if c.texts, err = licenseTexts(m.Dir); err != nil {
			return nil, err
		}
		if c.license, err = identify(c.texts); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Path, err)
		}
		found[m.Path] = append(found[m.Path], c)
		if m.Path == swaggerModule {
			c, err := swaggerUI(m.Dir)
			if err != nil {
				return nil, err
			}
			c.texts = found[m.Path][0].texts // the same license
			found[m.Path] = append(found[m.Path], c)
		}
	}
}

// standardLibrary describes the part of Go that is linked into each executable.
func standardLibrary(ctx context.Context, root, version string) (component, error) {
	goroot, err := run(ctx, root, "go", "env", "GOROOT")
	if err != nil {
		return component{}, err
	}
	number := strings.TrimPrefix(version, "go")
	c := component{name: "std", version: number, purl: "pkg:golang/std@" + number}
	if c.texts, err = licenseTexts(goroot); err != nil {
		return component{}, err
	}
	c.license, err = identify(c.texts)
	return c, err
}

// rootsModule has the certificates of the public authorities.
const rootsModule = "golang.org/x/crypto/x509roots/fallback"

const swaggerModule = "github.com/swaggest/swgui"

var swaggerVersion = regexp.MustCompile(`/swagger-ui/(\d+\.\d+\.\d+)/`)

// swaggerUI describes Swagger UI, which is embedded in the module at dir.
func swaggerUI(dir string) (component, error) {
	text, err := os.ReadFile(filepath.Join(dir, "v5cdn", "cdn.go"))
	if err != nil {
		return component{}, err
	}
	version := swaggerVersion.FindSubmatch(text)
	if version == nil {
		return component{}, errors.New(swaggerModule + " does not say which version of Swagger UI it contains")
	}
	number := string(version[1])
	return component{name: "swagger-ui-dist", version: number, purl: "pkg:npm/swagger-ui-dist@" + number, license: "Apache-2.0"}, nil
}

// readPage describes the packages from npm that are in the page for people, by its lock
// file.
func readPage(root string) ([]component, error) {
	text, err := os.ReadFile(filepath.Join(root, "web", "package-lock.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var lock struct {
		Packages map[string]struct {
			Version, License string
			Dev              bool
		}
	}
	if err := json.Unmarshal(text, &lock); err != nil {
		return nil, fmt.Errorf("web/package-lock.json: %w", err)
	}
	var page []component
	for _, path := range slices.Sorted(maps.Keys(lock.Packages)) {
		_, name, ok := strings.Cut(path, "node_modules/")
		p := lock.Packages[path]
		if !ok || p.Dev {
			continue
		}
		if !slices.Contains(allowedLicenses, p.License) {
			return nil, fmt.Errorf("%s has the license %q", name, p.License)
		}
		page = append(page, component{
			name: name, version: p.Version, license: p.License,
			purl: "pkg:npm/" + strings.Replace(name, "@", "%40", 1) + "@" + p.Version,
		})
	}
	return page, nil
}
