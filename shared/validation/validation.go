// Package validation checks the shape of requests by their `validate` tags,
// with go-playground/validator, and reports as faults what is wrong. What a
// value means (is it an address, is it a good password?) its own type says.
//
// It is apart from endpoint because the validator weighs on the start of a
// Lambda function; those that need no check do not link it.
package validation

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/go-playground/validator/v10"

	"github.com/voiceassist/gateway/shared/fault"
)

// checker is made at first use: it caches what it learns of each type.
var checker = sync.OnceValue(func() *validator.Validate { //nolint:gochecknoglobals // a cache
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return name
	})
	return v
})

// Check returns what the tags of v, a struct or a pointer to one, find wrong,
// under the fields' names on the wire. Lengths count characters.
func Check(v any) fault.Fields {
	var wrong fault.Fields
	found, ok := errors.AsType[validator.ValidationErrors](checker().Struct(v))
	if !ok {
		return nil
	}
	for _, e := range found {
		code, message := describe(e)
		wrong.Check(false, e.Field(), code, message)
	}
	return wrong
}

func describe(e validator.FieldError) (code, message string) {
	switch e.Tag() {
	case "required", "required_without":
		return "required", "Is required."
	case "max":
		return "too_long", fmt.Sprintf("Must be at most %s characters.", e.Param())
	case "oneof":
		return "not_allowed", "Must be one of: " + strings.ReplaceAll(e.Param(), " ", ", ") + "."
	default:
		return "invalid", "Is not acceptable (" + e.Tag() + ")."
	}
}
