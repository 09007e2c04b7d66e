package main

import (
	"context"
	"fmt"
)

// operatorFiles is what it takes to run the image: files and folders of the repository.
var operatorFiles = []string{
	"docker-compose.yml", ".env.example", "scripts/env", "deploy", "LICENSE", "CHANGELOG.md", "SECURITY.md",
}

// releaseFiles returns the files of the release, except their sums.
func releaseFiles(ctx context.Context, src source, compiled []executable, mods modules) ([]entry, error) {
	own, err := src.tracked(ctx, "LICENSE", "CHANGELOG.md")
	if err != nil {
		return nil, err
	}
	// Some files of others are not in a module, and have their license beside them.
	beside, err := src.tracked(ctx, "*/LICENSE*", "*/licenses.md", ":!*/testdata/*")
	if err != nil {
		return nil, err
	}
	foreign := entry{name: "THIRD-PARTY-LICENSES.txt", mode: 0o644, data: mods.texts(beside)}
	documents := append(own, foreign)
	prefix := "gateway-" + src.name
	files := []entry{foreign}
	add := func(name string, data []byte, err error) error {
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		files = append(files, entry{name: name, mode: 0o644, data: data})
		return nil
	}
	for _, e := range compiled {
		name := fmt.Sprintf("%s-%s-%s", prefix, e.os, e.arch)
		switch {
		case e.function():
			name = fmt.Sprintf("%s-lambda-%s-%s.zip", prefix, e.arch, e.name)
			data, err := zipOf([]entry{{name: "bootstrap", mode: 0o755, data: e.data}}, src.time)
			if err := add(name, data, err); err != nil {
				return nil, err
			}
		case e.os == "windows":
			inside := sorted(name+"/", append(documents, entry{name: "gateway.exe", mode: 0o755, data: e.data}))
			data, err := zipOf(inside, src.time)
			if err := add(name+".zip", data, err); err != nil {
				return nil, err
			}
		default:
			inside := sorted(name+"/", append(documents, entry{name: "gateway", mode: 0o755, data: e.data}))
			data, err := gzipped(inside, src.time)
			if err := add(name+".tar.gz", data, err); err != nil {
				return nil, err
			}
		}
	}
	operator, err := src.tracked(ctx, operatorFiles...)
	if err != nil {
		return nil, err
	}
	packed, err := gzipped(sorted(prefix+"-deploy/", operator), src.time)
	if err := add(prefix+"-deploy.tar.gz", packed, err); err != nil {
		return nil, err
	}
	image, digest, err := imageOf(src, compiled, documents)
	if err := add(prefix+"-image.tar", image, err); err != nil {
		return nil, err
	}
	bom, err := mods.sbom(src, compiled, digest.Hex)
	if err := add(prefix+".cdx.json", bom, err); err != nil {
		return nil, err
	}
	return files, nil
}
