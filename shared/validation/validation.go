// Package validation checks requests by their `validate` tags, with
// go-playground/validator.
//
// The tags say what must be there, which words a member may be, and which of our
// rules it keeps (email, password, title …). A rule is defined by the Parse
// function of its type, which the function then calls to have the value; the tag
// sees to it that everything wrong with a request is told at once.
//
// To check a request, tag its fields and hand [Check] to its route:
//
//	endpoint.JSON(http.StatusOK, f.register, validation.Check)
//
// A new rule is a line in rules; a tag of the library that is not used yet needs a
// line in messages.
package validation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/go-playground/validator/v10"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// checker returns the one validator, made at its first use: it takes a while, and
// many an instance of a function never needs it. It remembers the tags of every
// type.
var checker = sync.OnceValue(newChecker)

func newChecker() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(memberName)
	for tag, check := range rules() {
		err := v.RegisterValidationCtx(tag, func(ctx context.Context, fl validator.FieldLevel) bool {
			err := check(fl)
			if found, ok := ctx.Value(brokenRulesKey{}).(map[string]error); ok && err != nil {
				found[fl.FieldName()] = err
			}
			return err == nil
		})
		if err != nil {
			panic(err)
		}
	}
	return v
}

// memberName returns the name of a field on the wire.
func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// brokenRulesKey is the key under which the context of one check has what our rules
// found, by member: the library passes on that a rule is broken, but not how.
type brokenRulesKey struct{}

// Check returns nil, or one fault of kind [fault.Invalid] that lists every member
// of request, a pointer to a struct, that breaks a tag, once each: first those
// that are missing, then in the order of the fields. A tag without a message is a
// mistake of ours, and an error of no other kind. It is safe for concurrent use.
func Check(request any) error {
	found := map[string]error{}
	err := checker().StructCtx(context.WithValue(context.Background(), brokenRulesKey{}, found), request)
	failed, ok := errors.AsType[validator.ValidationErrors](err)
	if !ok {
		return err
	}
	slices.SortStableFunc(failed, func(a, b validator.FieldError) int { return cmp.Compare(rank(a), rank(b)) })
	var wrong fault.Fields
	for _, e := range failed {
		why := found[e.Field()]
		if why == nil {
			why = message(e)
		}
		if fault.Of(why).Kind != fault.Invalid {
			return why
		}
		wrong.Parse(e.Field(), why)
	}
	return wrong.Err()
}

// rank puts what is missing first.
func rank(e validator.FieldError) int {
	switch e.Tag() {
	case "required", "required_without", "required_without_all", "filled":
		return 0
	}
	return 1
}

// message returns what is said of a member that breaks a tag of the library.
func message(e validator.FieldError) error {
	known := messages()
	for _, tag := range []string{e.Tag() + "=" + e.Param(), e.Tag()} {
		if f, ok := known[tag]; ok {
			return f.WithDetail(strings.ReplaceAll(f.Detail, "{param}", strings.ReplaceAll(e.Param(), " ", ", ")))
		}
	}
	return fmt.Errorf("validation: no message for the tag %s of %s", e.Tag(), e.StructNamespace())
}
