// Package document has the type of free-form JSON objects that clients store: the
// preferences of a user and the context of a conversation.
package document

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// An Object is a JSON object without insignificant white space. The zero value is
// the empty object.
type Object string

// Empty is the object without members.
const Empty Object = "{}"

// ParseObject returns raw as a compact object of at most limit bytes. If raw is
// empty, it returns the empty object.
func ParseObject(raw json.RawMessage, limit int) (Object, error) {
	if len(raw) == 0 {
		return Empty, nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil || b.Len() == 0 || b.Bytes()[0] != '{' {
		return "", fault.New(fault.Invalid, "not_an_object", "Must be a JSON object.")
	}
	if b.Len() > limit {
		return "", fault.New(fault.Invalid, "too_large",
			fmt.Sprintf("Must be at most %d bytes of JSON without white space, but has %d.", limit, b.Len()))
	}
	return Object(b.String()), nil
}

// MarshalJSON returns the object itself.
func (o Object) MarshalJSON() ([]byte, error) {
	if o == "" {
		return []byte(Empty), nil
	}
	return []byte(o), nil
}

// String returns the JSON text.
func (o Object) String() string {
	if o == "" {
		return string(Empty)
	}
	return string(o)
}

// UnmarshalJSON accepts an object of any size.
func (o *Object) UnmarshalJSON(raw []byte) error {
	parsed, err := ParseObject(raw, len(raw))
	if err != nil {
		return err
	}
	*o = parsed
	return nil
}
