package docstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func validateJSON(schema *jsonschema.Schema, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// validateForm validates a form as an object with its fields as members.
func validateForm(schema *jsonschema.Schema, text []byte) error {
	fields, err := url.ParseQuery(string(text))
	if err != nil {
		return err
	}
	object := map[string]any{}
	for name, values := range fields {
		if len(values) != 1 {
			return fmt.Errorf("%s is sent %d times", name, len(values))
		}
		object[name] = values[0]
	}
	return schema.Validate(object)
}

// validateText validates the text of a header or a parameter as a string, or as an
// integer if the schema requires one.
func validateText(schema *jsonschema.Schema, text string) error {
	asText := schema.Validate(text)
	if asText == nil {
		return nil
	}
	if n := json.Number(text); isInteger(n) && schema.Validate(n) == nil {
		return nil
	}
	return asText
}

func isInteger(n json.Number) bool {
	_, err := n.Int64()
	return err == nil
}

// formats returns the formats in the document that the library does not define.
func formats() []*jsonschema.Format {
	return []*jsonschema.Format{{Name: "idn-email", Validate: bareAddress}}
}

// bareAddress accepts an e-mail address without a display name. It ignores
// surrounding white space, which requests may contain.
func bareAddress(v any) error {
	s, ok := v.(string)
	if !ok {
		return nil // the keyword "type" rejects other types
	}
	s = strings.TrimSpace(s)
	a, err := mail.ParseAddress(s)
	if err != nil {
		return err
	}
	if a.Name != "" || a.Address != s {
		return errors.New("not a bare address")
	}
	return nil
}
