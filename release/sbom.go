package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/CycloneDX/cyclonedx-go"
)

// sbom returns the software bill of materials in the format of CycloneDX 1.6. It lists
// each executable and the container image with their digests, and what is in them. Its
// only time is that of the commit, and it has no serial number, which would have to be
// random.
func (m modules) sbom(src source, compiled []executable, image string) ([]byte, error) {
	self := "pkg:golang/github.com/voiceassist/gateway@" + src.name
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: src.time.Format(time.RFC3339),
		Component: &cyclonedx.Component{
			BOMRef: self, Type: cyclonedx.ComponentTypeApplication, Name: "voiceassist-gateway",
			Version: src.version, PackageURL: self, Licenses: licensed("MIT"),
		},
	}
	var components []cyclonedx.Component
	var dependencies []cyclonedx.Dependency
	add := func(c cyclonedx.Component, uses []string) {
		components = append(components, c)
		d := cyclonedx.Dependency{Ref: c.BOMRef}
		if len(uses) > 0 {
			d.Dependencies = &uses
		}
		dependencies = append(dependencies, d)
	}
	inImage, parts := []string{m.authorities}, []string{imageRef}
	for _, e := range compiled {
		sum := sha256.Sum256(e.data)
		add(cyclonedx.Component{
			BOMRef: e.key(), Type: cyclonedx.ComponentTypeApplication, Name: e.pkg, Version: src.version,
			Licenses: licensed("MIT"), Hashes: digested(hex.EncodeToString(sum[:])),
			Properties: &[]cyclonedx.Property{ // the names that cyclonedx-gomod uses
				{Name: "cdx:gomod:build:env:GOOS", Value: e.os},
				{Name: "cdx:gomod:build:env:GOARCH", Value: e.arch},
			},
		}, m.uses[e.key()])
		parts = append(parts, e.key())
		if e.inImage() {
			inImage = append(inImage, e.key())
		}
	}
	add(cyclonedx.Component{
		BOMRef: imageRef, Type: cyclonedx.ComponentTypeContainer, Name: "voiceassist/gateway", Version: src.version,
		Licenses: licensed("MIT"), Hashes: digested(image),
	}, inImage)
	for _, c := range m.components {
		described := cyclonedx.Component{
			BOMRef: c.purl, Type: cyclonedx.ComponentTypeLibrary, Name: c.name, Version: c.version,
			PackageURL: c.purl, Licenses: licensed(c.license),
		}
		if c.sum != "" { // SHA-256 of the list of the module's files, in the order of go.sum
			sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.sum, "h1:"))
			if err != nil {
				return nil, fmt.Errorf("the digest of %s: %w", c.name, err)
			}
			described.Hashes = digested(hex.EncodeToString(sum))
		}
		add(described, nil)
	}
	dependencies = append(dependencies, cyclonedx.Dependency{Ref: self, Dependencies: &parts})
	bom.Components, bom.Dependencies = &components, &dependencies

	var b bytes.Buffer
	err := cyclonedx.NewBOMEncoder(&b, cyclonedx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_6)
	return b.Bytes(), err
}

// imageRef names the container image in the bill of materials.
const imageRef = "image"

func digested(sha256 string) *[]cyclonedx.Hash {
	return &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: sha256}}
}

func licensed(id string) *cyclonedx.Licenses {
	return &cyclonedx.Licenses{{License: &cyclonedx.License{ID: id}}}
}
