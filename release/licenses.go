package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// allowedLicenses are those under which foreign software may be in a release, by SPDX
// identifier. They ask for no more than their text beside the software.
var allowedLicenses = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"}

// phrases tell allowed licenses apart. The first that matches counts.
var phrases = []struct{ license, phrase string }{
	{"Apache-2.0", "Apache License Version 2.0, January 2004"},
	{"BSD-3-Clause", "used to endorse or promote products derived from this software without"},
	{"BSD-2-Clause", "Redistributions in binary form must reproduce the above copyright notice"},
	{"MIT", "Permission is hereby granted, free of charge, to any person obtaining a copy"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software for any purpose"},
}

var (
	licenseFile  = regexp.MustCompile(`(?i)^(licen[cs]e|notice|copying|patents)[\w.-]*$`)
	mainLicense  = regexp.MustCompile(`(?i)^licen[cs]e(\.txt|\.md)?$`)
	noWhitespace = regexp.MustCompile(`[\s*]+`)
)

// licenseTexts returns the files with licenses and notices at the root of a module.
func licenseTexts(dir string) ([]entry, error) {
	if dir == "" {
		return nil, errors.New("a module is not in the module cache; run go mod download")
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts []entry
	for _, f := range files {
		if !f.Type().IsRegular() || !licenseFile.MatchString(f.Name()) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		texts = append(texts, entry{name: f.Name(), data: data})
	}
	return texts, nil
}

// identify returns the SPDX identifier of a module's license, or an error if it is none
// of the allowed ones.
func identify(texts []entry) (string, error) {
	for _, t := range texts {
		if !mainLicense.MatchString(t.name) {
			continue
		}
		words := noWhitespace.ReplaceAllString(string(t.data), " ")
		for _, p := range phrases {
			if strings.Contains(words, p.phrase) {
				return p.license, nil
			}
		}
		return "", fmt.Errorf("%s is none of the allowed licenses (%s)", t.name, strings.Join(allowedLicenses, ", "))
	}
	return "", errors.New("has no license file")
}

// texts returns the licenses and notices of all components, as their authors ask.
func (m modules) texts(own []entry) []byte {
	var b bytes.Buffer
	b.WriteString("Software by others in this release, with the licenses and notices of each.\n\n")
	for _, c := range m.components {
		fmt.Fprintf(&b, "%s %s (%s)\n", c.name, c.version, c.license)
	}
	for _, c := range m.components {
		for _, t := range c.texts {
			b.WriteString(section(c.name+" "+c.version+": "+t.name, t.data))
		}
	}
	for _, t := range own {
		b.WriteString(section(t.name, t.data))
	}
	return b.Bytes()
}

// section returns the text below a heading.
func section(heading string, text []byte) string {
	return "\n\n" + heading + "\n" + strings.Repeat("=", len(heading)) + "\n\n" + strings.TrimSpace(string(text)) + "\n"
}
