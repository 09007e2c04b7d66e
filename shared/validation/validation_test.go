package validation_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/fault"
	"github.com/voiceassist/gateway/shared/validation"
)

type request struct {
	Name      string `json:"name" validate:"required"`
	Email     string `json:"email"`
	Username  string `json:"username" validate:"required_without=Email"`
	Transport string `json:"transport" validate:"omitempty,oneof=body cookie"`
	Note      string `json:"note" validate:"max=3"`
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		in   request
		want fault.Fields
	}{
		{"a good one", request{Name: "a", Email: "b", Transport: "cookie", Note: "äöü"}, nil},
		{"everything wrong, by the names on the wire", request{Transport: "x", Note: "four"}, fault.Fields{
			{Field: "name", Code: "required", Message: "Is required."},
			{Field: "username", Code: "required", Message: "Is required."},
			{Field: "transport", Code: "not_allowed", Message: "Must be one of: body, cookie."},
			{Field: "note", Code: "too_long", Message: "Must be at most 3 characters."},
		}},
	} {
		if diff := cmp.Diff(test.want, validation.Check(&test.in)); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", test.name, diff)
		}
	}
}
