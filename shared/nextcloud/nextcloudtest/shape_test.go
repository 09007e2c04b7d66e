package nextcloudtest_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// volatile lists the members with values that differ between servers and over time. Only the
// types of these are compared; of all other members the values are compared.
func volatile() []string {
	return []string{
		"lastLogin", "free", "total", "apppassword",
		"getlastmodified", "getetag", "fileid", "id ",
	}
}

// shape converts a body for comparison: JSON and XML by structure and values, other formats
// unchanged.
func shape(t *testing.T, body string) any {
	t.Helper()
	switch {
	case strings.HasPrefix(body, "{"):
		var v any
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		return shapeJSON("", v)
	case strings.HasPrefix(body, "<?xml"):
		return shapeXML(t, body)
	}
	return body
}

func shapeJSON(name string, v any) any {
	if slices.Contains(volatile(), name) {
		switch v.(type) {
		case string:
			return "a string"
		case float64:
			return "a number"
		}
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, member := range v {
			out[k] = shapeJSON(k, member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = shapeJSON(name, item)
		}
		return out
	}
	return v
}

// shapeXML lists the elements with their depth and text, in order.
func shapeXML(t *testing.T, body string) []string {
	t.Helper()
	var lines, path []string
	for d := xml.NewDecoder(strings.NewReader(body)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		switch token := token.(type) {
		case xml.StartElement:
			name := token.Name.Local
			if token.Name.Space == "http://owncloud.org/ns" && name == "id" {
				name = "id " // the ID of a file, not of a user
			}
			path = append(path, name)
			lines = append(lines, strings.Join(path, "/"))
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			text := strings.TrimSpace(string(token))
			if text == "" {
				continue
			}
			if slices.Contains(volatile(), path[len(path)-1]) {
				text = "some text"
			}
			lines = append(lines, strings.Join(path, "/")+": "+text)
		}
	}
}
