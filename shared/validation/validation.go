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

// checker returns the validator, created at its first use: this takes a while, and
// many instances of functions never need it. It caches the tags of every type.
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

// memberName returns the name of a field in JSON.
func memberName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// brokenRulesKey is the context key of the errors of our rules, by member. The
// library reports only that a rule is violated, but not the error.
type brokenRulesKey struct{}

// Check returns nil, or a fault of kind [fault.Invalid] that lists every member of
// request, a pointer to a struct, that violates a tag. It lists each member once:
// the missing ones first, then the others in the order of the fields. A tag without
// a message is a bug and returns another error. Check is safe for concurrent use.
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

// rank sorts missing members first.
func rank(e validator.FieldError) int {
	switch e.Tag() {
	case "required", "required_without", "required_without_all", "filled":
		return 0
	}
	return 1
}

// message returns the error for a member that violates a tag of the library.
func message(e validator.FieldError) error {
	known := messages()
	for _, tag := range []string{e.Tag() + "=" + e.Param(), e.Tag()} {
		if f, ok := known[tag]; ok {
			return f.WithDetail(strings.ReplaceAll(f.Detail, "{param}", strings.ReplaceAll(e.Param(), " ", ", ")))
		}
	}
	return fmt.Errorf("validation: no message for the tag %s of %s", e.Tag(), e.StructNamespace())
}
