package endpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/voiceassist/gateway/shared/fault"
)

// The limits of a JSON or form body.
const (
	MaxBody  = 1 << 20 // bytes
	maxDepth = 100     // of nested arrays and objects; people need a handful
)

// Errors of decoding.
var (
	errMalformedJSON = fault.New(fault.Malformed, "malformed_json", "The body is not one JSON object.")
	errMalformedForm = fault.New(fault.Malformed, "malformed_form", "The body is not form data.")
	errTooLarge      = fault.New(fault.TooLarge, "body_too_large", "The body is larger than this endpoint takes.")
	errBrokenBody    = fault.New(fault.Malformed, "broken_body", "The body ended before it was complete.")
	errMediaType     = fault.New(fault.UnsupportedMediaType, "unsupported_media_type",
		"The content type is not one this endpoint reads; send application/json in UTF-8.")
)

// A decoder reads bodies into requests of one type. What the type looks like is
// found out once, when the route is made.
type decoder struct {
	json map[string]bool // the members it takes; none is a request without a body
	form map[string]int  // the form fields it takes, by field index
}

func newDecoder[Req any]() decoder {
	d := decoder{json: map[string]bool{}, form: map[string]int{}}
	t := reflect.TypeFor[Req]()
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			d.json[name] = true
		}
		if name := f.Tag.Get("form"); name != "" {
			d.form[name] = i
		}
	}
	return d
}

// decode fills req, a pointer to the decoder's type, from the body, then lets
// it bind and validate itself.
func (d decoder) decode(w http.ResponseWriter, r *http.Request, req any) error {
	if len(d.json) > 0 {
		if err := d.body(w, r, req); err != nil {
			return err
		}
	}
	if b, ok := req.(Binder); ok {
		if err := b.Bind(r); err != nil {
			return err
		}
	}
	if v, ok := req.(Validator); ok {
		return v.Validate()
	}
	return nil
}

func (d decoder) body(w http.ResponseWriter, r *http.Request, req any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return errTooLarge
	}
	if err != nil {
		return errBrokenBody.Because(err)
	}
	contentType := r.Header.Get("Content-Type")
	if contentType == "" && len(body) == 0 {
		return nil // nothing sent is every field absent
	}
	media, params, err := mime.ParseMediaType(contentType)
	if charset := params["charset"]; err != nil || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return errMediaType
	}
	switch {
	case media == "application/json":
		return d.fromJSON(body, req)
	case media == "application/x-www-form-urlencoded" && len(d.form) > 0:
		return d.fromForm(body, req)
	}
	return errMediaType
}

// fromJSON is stricter than encoding/json: one object and nothing after it,
// valid UTF-8, no member twice, none that the request does not know by exactly
// that name, and no deep nesting.
func (d decoder) fromJSON(body []byte, req any) error {
	members, err := scan(body)
	if err != nil {
		return err
	}
	var wrong fault.Fields
	for _, name := range members {
		wrong.Check(d.json[name], name, "unknown_field", "This endpoint takes no such field.")
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	err = json.Unmarshal(body, req)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		wrong.Check(false, e.Field, "wrong_type", fmt.Sprintf("Must be %s; this is %s.", kindName(e.Type), article(e.Value)))
		return wrong.Err()
	}
	if err != nil {
		return errMalformedJSON.Because(err)
	}
	return nil
}

func (d decoder) fromForm(body []byte, req any) error {
	values, err := url.ParseQuery(string(body))
	if err != nil || !utf8.Valid(body) {
		return errMalformedForm
	}
	var wrong fault.Fields
	v := reflect.ValueOf(req).Elem()
	for name, given := range values {
		i, known := d.form[name]
		wrong.Check(known, name, "unknown_field", "This endpoint takes no such field.")
		wrong.Check(len(given) == 1, name, "repeated", "Must be sent once.")
		wrong.Check(utf8.ValidString(given[0]), name, "invalid_utf8", "Must be UTF-8.")
		if known {
			v.Field(i).SetString(given[0])
		}
	}
	return wrong.Err()
}

// scan walks body without building it and returns the names of the outermost
// object's members.
func scan(body []byte) ([]string, error) {
	if !utf8.Valid(body) {
		return nil, errMalformedJSON.Because(errors.New("not UTF-8"))
	}
	var (
		dec   = json.NewDecoder(bytes.NewReader(body))
		open  []map[string]bool // of each open object the members so far, of each open array nil
		names []string
		named = false // a member's name, or the end of its object, comes next
	)
	for first := true; first || len(open) > 0; first = false {
		t, err := dec.Token()
		if err != nil {
			return nil, errMalformedJSON.Because(err)
		}
		delim, _ := t.(json.Delim)
		switch {
		case first && delim != '{':
			return nil, errMalformedJSON.Because(errors.New("not an object"))
		case len(open) == maxDepth && (delim == '{' || delim == '['):
			return nil, errMalformedJSON.Because(errors.New("nested too deeply"))
		case delim == '{':
			open = append(open, map[string]bool{})
		case delim == '[':
			open = append(open, nil)
		case delim != 0:
			open = open[:len(open)-1]
		case named:
			name := t.(string) //nolint:forcetypeassert // the decoder yields nothing else there
			if open[len(open)-1][name] {
				return nil, errMalformedJSON.Because(fmt.Errorf("member %.40q twice", name))
			}
			open[len(open)-1][name] = true
			if len(open) == 1 {
				names = append(names, name)
			}
			named = false
			continue
		}
		named = len(open) > 0 && open[len(open)-1] != nil
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errMalformedJSON.Because(errors.New("something follows the object"))
	}
	return names, nil
}

// kindName says in words of JSON what a Go type takes.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	default:
		return "a number"
	}
}

func article(value string) string {
	value, _, _ = strings.Cut(value, " ")
	switch value {
	case "bool":
		return "true or false"
	case "array", "object":
		return "an " + value
	default:
		return "a " + value
	}
}
