package settings

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed introduction.md
var introduction string

//go:embed example.txt
var exampleIntro string

// Markdown returns the reference of all settings: docs/configuration.md.
func (g Groups) Markdown() string {
	var b strings.Builder
	b.WriteString(introduction)
	for _, group := range g {
		fmt.Fprintf(&b, "\n### %s\n\n", group.Title)
		if group.Intro != "" {
			b.WriteString(group.Intro + "\n\n")
		}
		b.WriteString("| setting | default | values | meaning |\n|---|---|---|---|\n")
		for _, s := range group.Settings {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, s.defaultText(), s.valuesText(), s.meaningText())
		}
	}
	return b.String()
}

func (s Setting) defaultText() string {
	if s.Default != "" {
		return "`" + s.Default + "`"
	}
	return s.Unset
}

func (s Setting) valuesText() string {
	switch {
	case s.Values != "":
		return s.Values
	case s.Kind == File, s.Kind == Folder:
		return "a " + strings.ToLower(string(s.Kind))
	case s.Kind == Number:
		return "a number"
	}
	return ""
}

// meaningText returns the meaning, conditions and an example.
func (s Setting) meaningText() string {
	text := s.Meaning
	if s.Required != "" {
		text += " **Required** " + s.Required + "."
	}
	if s.Needs != "" && s.Required == "" {
		text += " Only with " + condition(s.Needs, "`") + "."
	}
	if s.Compose != "" {
		text += " docker compose " + s.Compose + "."
	}
	if s.File != "" {
		text += " `" + s.File + "` can name a file with it."
	}
	if s.Example != "" && s.initial == nil {
		text += " Example: `" + s.Example + "`"
	}
	return text
}

// condition returns a condition of [Setting.Needs] as text, with names and values in
// quotes.
func condition(needs, quote string) string {
	name, values, exact := strings.Cut(needs, "=")
	text := quote + name + quote
	if exact {
		text += "=" + quote + strings.ReplaceAll(values, "|", quote+", "+quote) + quote
	}
	return text
}

// Example returns .env.example: all settings that belong in an .env file. Those that
// have no initial value are commented out.
func (g Groups) Example() string {
	var b strings.Builder
	b.WriteString(exampleIntro)
	for _, group := range g {
		started := false
		for _, s := range group.Settings {
			if s.System {
				continue
			}
			if !started {
				started = true
				fmt.Fprintf(&b, "\n# --- %s %s\n", group.Title, strings.Repeat("-", max(3, 74-len(group.Title))))
				if group.Intro != "" {
					b.WriteString("\n" + comment(group.Intro))
				}
			}
			b.WriteString("\n" + comment(s.exampleText()) + s.line() + "\n")
		}
	}
	return b.String()
}

// line returns the line that sets s in .env.example.
func (s Setting) line() string {
	if s.initial != nil {
		return s.Name + "=" + *s.initial
	}
	value := s.Default
	if value == "" {
		value = s.Example
	}
	return "#" + s.Name + "=" + value
}

// exampleText returns the meaning, and what the line below it does not show.
func (s Setting) exampleText() string {
	text := s.Meaning
	if s.Values != "" {
		text += " Values: " + s.Values + "."
	}
	if s.Default == "" && s.Unset != "" {
		text += " Default: " + s.Unset + "."
	}
	if s.Required != "" {
		text += " Required " + s.Required + "."
	}
	if s.Compose != "" {
		text += " docker compose " + s.Compose + "."
	}
	if s.File != "" {
		text += " Or the path of a file with it: `" + s.File + "`."
	}
	return text
}

// link matches a Markdown link.
var link = regexp.MustCompile(`\[([^]]+)\]\(([a-z]*\.?m?d?)(#[^)]*)?\)`)

// word matches a single word in backticks. Longer code, such as a command, keeps its
// backticks.
var word = regexp.MustCompile("`([^` ]+)`")

// comment returns Markdown as comment lines of an .env file.
func comment(markdown string) string {
	const width = 78
	text := link.ReplaceAllStringFunc(markdown, func(l string) string {
		m := link.FindStringSubmatch(l)
		if m[2] == "" {
			return m[1]
		}
		return m[1] + " (docs/" + m[2] + ")"
	})
	text = word.ReplaceAllString(text, "$1")
	var b strings.Builder
	line := "#"
	for word := range strings.FieldsSeq(text) {
		if len(line)+1+len(word) > width && line != "#" {
			b.WriteString(line + "\n")
			line = "#"
		}
		line += " " + word
	}
	b.WriteString(line + "\n")
	return b.String()
}
