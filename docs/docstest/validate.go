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

// validateForm validates a form as the object of its fields.
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

// validateText validates a header or a parameter, which is the text of a value
// of whichever type the schema has.
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

// formats are those of the document that the library does not know.
func formats() []*jsonschema.Format {
	return []*jsonschema.Format{{Name: "idn-email", Validate: bareAddress}}
}

// bareAddress takes an e-mail address without a display name; blanks around it
// are none of the format's business, as requests may have them.
func bareAddress(v any) error {
	s, ok := v.(string)
	if !ok {
		return nil // another type is for "type" to refuse
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
