package validation

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/go-playground/validator/v10"

	"github.com/voiceassist/gateway/shared/conversation"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/password"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
)

var (
	errRequired   = fault.New(fault.Invalid, "required", "Is required.")
	errMoveOrCopy = errRequired.WithDetail("Send one of move_to and copy_to.")

	errNotAllowed = fault.New(fault.Invalid, "not_allowed", "Is not allowed.")
	errTooLong    = fault.New(fault.Invalid, "too_long", "Must have at most {param} characters.")
	errFlag       = errNotAllowed.WithDetail("Must be true or false.")
)

// A rule returns a fault of kind [fault.Invalid] if a field violates it.
type rule func(field validator.FieldLevel) error

// rules returns our rules by their tags.
func rules() map[string]rule {
	return map[string]rule{
		"app_name":    byParse(desired.ParseAppName),
		"context":     byParse(conversation.ParseContext),
		"days":        days,
		"email":       byParse(account.ParseEmail),
		"filled":      filled,
		"flag":        flag,
		"key_name":    byParse(apikey.ParseName),
		"name":        byParse(account.ParseName),
		"password":    newPassword,
		"path":        path,
		"preferences": byParse(account.ParsePreferences),
		"quota":       quota,
		"role":        byParse(account.ParseRole),
		"same_as":     sameAs,
		"scopes":      byParse(apikey.ParseScopes),
		"title":       byParse(conversation.ParseTitle),
	}
}

// messages returns the code and the message for each tag of the library that
// requests use. A key includes the parameter of the tag if the message depends on
// it.
func messages() map[string]*fault.Error {
	return map[string]*fault.Error{
		"required":                errRequired,
		"required_without":        errRequired,
		"required_without_all":    errRequired,
		"required_without=CopyTo": errMoveOrCopy,
		"excluded_with=MoveTo":    errMoveOrCopy,
		"max":                     errTooLong,
		"required_with=Email":     errRequired.WithDetail("Is required to change the e-mail address."),
		"oneof":                   errNotAllowed.WithDetail("Must be one of: {param}."),

		"excluded_with=Email|eqfield=Email": errNotAllowed.WithDetail("Must be omitted or equal to email."),
	}
}

// byParse returns the rule that a type defines by its Parse function, for fields of
// type In and for optional ones.
func byParse[In, Out any](parse func(In) (Out, error)) rule {
	return func(field validator.FieldLevel) error {
		_, err := parse(value[In](field))
		return err
	}
}

// value returns the value that was sent. For null it is the zero value.
func value[T any](field validator.FieldLevel) T {
	switch v := field.Field().Interface().(type) {
	case T:
		return v
	case endpoint.Optional[T]:
		return v.Value
	default:
		panic(fmt.Sprintf("validation: the tag %s is not for a %T", field.GetTag(), v))
	}
}

// newPassword is the rule for the password of a new account. The parameter names the
// field with the e-mail address.
func newPassword(field validator.FieldLevel) error {
	address, kind, _, ok := field.GetStructFieldOK2()
	if !ok || kind != reflect.String {
		panic("validation: the tag password needs the field of the address")
	}
	email, _ := account.ParseEmail(address.String()) // that field reports an invalid address
	_, err := password.Parse(value[secret.String](field).Reveal(), email)
	return err
}

// path is the rule for the new path of a file.
func path(field validator.FieldLevel) error {
	if to, ok := reflect.TypeAssert[endpoint.Optional[string]](field.Field()); ok && to.Null {
		return errMoveOrCopy
	}
	_, err := webdav.ParsePath(value[string](field))
	return err
}

// quota is the rule for the quota of an account; null is the default.
func quota(field validator.FieldLevel) error {
	if sent, ok := reflect.TypeAssert[endpoint.Optional[string]](field.Field()); ok && sent.Null {
		return nil
	}
	_, err := desired.ParseQuota(value[string](field))
	return err
}

// days is the rule for the lifetime of an API key; null is no limit.
func days(field validator.FieldLevel) error {
	if sent, ok := reflect.TypeAssert[endpoint.Optional[int]](field.Field()); ok && sent.Null {
		return nil
	}
	_, err := apikey.ParseDays(value[int](field))
	return err
}

// flag is the rule for a member that is true or false, but not null.
func flag(field validator.FieldLevel) error {
	if sent, ok := reflect.TypeAssert[endpoint.Optional[bool]](field.Field()); ok && sent.Null {
		return errFlag
	}
	return nil
}

// filled is the rule for a password that may be omitted, but not be empty or null.
func filled(field validator.FieldLevel) error {
	if value[secret.String](field) == "" {
		return errRequired
	}
	return nil
}

// sameAs is the rule for an alternative name of a password. The parameter lists the
// fields with the other names. The value must equal that of the first of them that
// was sent.
func sameAs(field validator.FieldLevel) error {
	for name := range strings.FieldsSeq(field.Param()) {
		first := field.Parent().FieldByName(name).Interface().(endpoint.Optional[secret.String])
		if !first.Set {
			continue
		}
		if value[secret.String](field) == first.Value {
			return nil
		}
		of, _ := field.Parent().Type().FieldByName(name)
		return errNotAllowed.WithDetail("Must be left out, or be the same, when " + memberName(of) + " is sent.")
	}
	return nil
}
