package endpoint

import (
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

	"github.com/voiceassist/gateway/shared/foundation/defense"
	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// The limits of a JSON or form body.
const (
	MaxBody    = 1 << 20 // bytes
	maxDepth   = 100     // of nested arrays and objects; real requests need a handful
	maxMembers = 20_000  // of all objects except the outermost; a document of 64 KiB has at most 13,107
)

// Errors of decoding.
var (
	errMalformedJSON = fault.New(fault.Malformed, "malformed_json", "The body is not one JSON object.")
	errMalformedForm = fault.New(fault.Malformed, "malformed_form", "The body is not form data.")
	errTooLarge      = fault.New(fault.TooLarge, "body_too_large", "The body is larger than this endpoint accepts.")
	errBrokenBody    = fault.New(fault.Malformed, "broken_body", "The body ended early.")
	errMediaType     = fault.New(fault.UnsupportedMediaType, "unsupported_media_type",
		"This endpoint does not read this content type. Send application/json in UTF-8.")
	errEncoding = fault.New(fault.UnsupportedMediaType, "unsupported_encoding",
		"Content encodings are not supported. Send the body without Content-Encoding.")
)

// CheckEncoding returns a fault if the body of r has a content coding (RFC 9110
// section 8.4) other than identity, which means none.
func CheckEncoding(r *http.Request) error {
	for _, line := range r.Header.Values("Content-Encoding") {
		for coding := range strings.SplitSeq(line, ",") {
			if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "identity") {
				return errEncoding
			}
		}
	}
	return nil
}

// A decoder decodes bodies into requests of one type. It inspects the type
// once, when the route is created.
type decoder struct {
	json map[string]bool // the accepted members; empty for requests without a body
	form map[string]int  // the index of the struct field for each accepted form field

	checks []Check
}

func newDecoder[Req any](checks []Check) decoder {
	d := decoder{json: map[string]bool{}, form: map[string]int{}, checks: checks}
	t := reflect.TypeFor[Req]()
	for i := range t.NumField() {
		f := t.Field(i)
		if _, tagged := f.Tag.Lookup("validate"); tagged && len(checks) == 0 {
			panic(fmt.Sprintf("endpoint: %v has validate tags, and its route no check", t))
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			d.json[name] = true
		}
		if name := f.Tag.Get("form"); name != "" {
			d.form[name] = i
		}
	}
	return d
}

// decode fills req, a pointer to the type of the decoder, from the body, binds
// it and checks it.
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
	for _, check := range d.checks {
		if err := check(req); err != nil {
			return err
		}
	}
	return nil
}

func (d decoder) body(w http.ResponseWriter, r *http.Request, req any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(defense.Limit(defense.BodyLimits, MaxBody))))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return errTooLarge
	}
	if err != nil {
		return errBrokenBody.Because(err)
	}
	if len(body) == 0 {
		return nil // an empty body is no body, whatever its type: every field is absent
	}
	contentType := r.Header.Get("Content-Type")
	if err := CheckEncoding(r); err != nil {
		return err
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

// fromJSON is stricter than encoding/json. It accepts one object with nothing
// after it, in valid UTF-8 without lone surrogates (I-JSON, RFC 7493 section
// 2), without duplicate or unknown members, and without deep nesting. Names of
// members are case-sensitive.
func (d decoder) fromJSON(body []byte, req any) error {
	var wrong fault.Fields
	err := scan(body, func(name string) {
		wrong.Check(d.json[name] || !defense.KnownFields, name, "unknown_field", "Is not a field of this endpoint.")
	})
	if err != nil {
		return err
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	err = json.Unmarshal(body, req)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		wrong.Check(false, e.Field, "wrong_type", fmt.Sprintf("Must be %s; this is %s.", describeType(e.Type), describeValue(e.Value)))
		return wrong.Err()
	}
	if err != nil {
		return errMalformedJSON.Because(err)
	}
	return nil
}

// fromForm decodes pair by pair, because it must see duplicate names, which
// [url.ParseQuery] merges.
func (d decoder) fromForm(body []byte, req any) error {
	if !utf8.Valid(body) {
		return errMalformedForm
	}
	var wrong fault.Fields
	v, seen := reflect.ValueOf(req).Elem(), map[string]bool{}
	for pair := range strings.SplitSeq(string(body), "&") {
		if pair == "" {
			continue
		}
		name, value, err := unescapePair(pair)
		if err != nil {
			return errMalformedForm.Because(err)
		}
		i, known := d.form[name]
		if !known {
			wrong.Check(false, name, "unknown_field", "Is not a field of this endpoint.")
			continue
		}
		wrong.Check(!seen[name], name, "repeated", "Must be sent once.")
		wrong.Check(utf8.ValidString(value), name, "invalid_utf8", "Must be UTF-8.")
		seen[name] = true
		v.Field(i).SetString(value)
	}
	return wrong.Err()
}

func unescapePair(pair string) (name, value string, err error) {
	if strings.Contains(pair, ";") {
		return "", "", errors.New("a semicolon") // some parsers take it for a separator
	}
	name, value, _ = strings.Cut(pair, "=")
	if name, err = url.QueryUnescape(name); err == nil {
		value, err = url.QueryUnescape(value)
	}
	return name, value, err
}

// describeType returns the JSON type that a Go type accepts, for people.
func describeType(t reflect.Type) string {
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

func describeValue(value string) string {
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
