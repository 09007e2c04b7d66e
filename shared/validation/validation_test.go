package validation_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/validation"
)

type newAccount struct {
	Email    string        `json:"email" validate:"required,email"`
	FullName string        `json:"full_name" validate:"name"`
	Role     string        `json:"role" validate:"omitempty,role"`
	Password secret.String `json:"password" validate:"required,password=Email"`
	Ignored  string        `json:"-"`
}

type credentials struct {
	Email     string        `json:"email"`
	Username  string        `json:"username" validate:"required_without=Email,excluded_with=Email|eqfield=Email"`
	Password  secret.String `json:"password" validate:"required"`
	Transport string        `json:"transport" validate:"omitempty,oneof=body cookie"`
}

type edit struct {
	FullName        endpoint.Optional[string]          `json:"full_name" validate:"omitempty,name"`
	Email           endpoint.Optional[string]          `json:"email" validate:"omitempty,email"`
	CurrentPassword secret.String                      `json:"current_password" validate:"required_with=Email"`
	Role            endpoint.Optional[string]          `json:"role" validate:"omitempty,role"`
	Disabled        endpoint.Optional[bool]            `json:"disabled" validate:"omitempty,flag"`
	Preferences     endpoint.Optional[json.RawMessage] `json:"preferences" validate:"preferences"`
	Title           endpoint.Optional[string]          `json:"title" validate:"omitempty,title"`
	Context         endpoint.Optional[json.RawMessage] `json:"context" validate:"context"`
}

type transplant struct {
	MoveTo endpoint.Optional[string] `json:"move_to" validate:"required_without=CopyTo,omitempty,path"`
	CopyTo endpoint.Optional[string] `json:"copy_to" validate:"excluded_with=MoveTo,omitempty,path"`
}

type optionalSecret = endpoint.Optional[secret.String]

type proof struct {
	CurrentPassword optionalSecret `json:"current_password" validate:"required_without_all=OldPassword WebCurrent,omitempty,filled"`
	OldPassword     optionalSecret `json:"old_password" validate:"omitempty,same_as=CurrentPassword,filled"`
	WebCurrent      optionalSecret `json:"currentPassword" validate:"omitempty,same_as=CurrentPassword OldPassword,filled"`
}

type app struct {
	Name string `json:"name" validate:"required,app_name"`
}

const (
	good   = `"correct horse battery"`
	oneWay = "Send one of move_to and copy_to."
	object = "Must be a JSON object."
)

// TestCheck_ReportsViolations holds field, code, message and order of everything
// that tags find.
func TestCheck_ReportsViolations(t *testing.T) {
	t.Parallel()
	const email = "Must be an e-mail address such as ada@example.org, of at most 254 bytes."
	for _, test := range []struct {
		request any
		body    string
		want    [][3]string // field, code, message
	}{
		{&newAccount{}, `{"email":"ada@example.org","password":` + good + `}`, nil},
		{&newAccount{}, `{}`, [][3]string{{"email", "required", "Is required."}, {"password", "required", "Is required."}}},
		{&newAccount{}, `{"full_name":"\u0000","role":"root"}`, [][3]string{ // what is missing comes first
			{"email", "required", "Is required."},
			{"password", "required", "Is required."},
			{"full_name", "invalid_name", "Must not contain U+0000, a control character."},
			{"role", "invalid_role", `Must be "user" or "admin".`},
		}},
		{&newAccount{}, `{"email":"ada","full_name":"` + strings.Repeat("a", 101) + `","password":"short"}`, [][3]string{
			{"email", "invalid_email", email},
			{"full_name", "invalid_name", "Must be at most 100 characters long."},
			{"password", "password_too_short", "Must be at least 8 bytes long."},
		}},
		{&newAccount{}, `{"email":"adalovelace@example.org","password":"AdaLovelace@Example.org"}`, [][3]string{
			{"password", "password_is_email", "Must not be the e-mail address or the part before its @."},
		}},
		{&newAccount{}, `{"email":"no address","password":"no address"}`, [][3]string{{"email", "invalid_email", email}}},

		{&credentials{}, `{}`, [][3]string{{"username", "required", "Is required."}, {"password", "required", "Is required."}}},
		{&credentials{}, `{"email":"a","password":"b"}`, nil},
		{&credentials{}, `{"username":"a","password":"b","transport":"cookie"}`, nil},
		{&credentials{}, `{"username":"a","email":"a","password":"b","transport":"body"}`, nil},
		{&credentials{}, `{"username":"a","email":"b","password":"b","transport":"mail"}`, [][3]string{
			{"username", "not_allowed", "Must be omitted or equal to email."},
			{"transport", "not_allowed", "Must be one of: body, cookie."},
		}},

		{&edit{}, `{}`, nil},
		{&edit{}, `{"full_name":null,"preferences":null,"context":null}`, nil},
		{&edit{}, `{"full_name":"Ada","email":"a@example.org","current_password":"x","role":"admin","disabled":false,
			"preferences":{},"title":"t","context":{}}`, nil},
		{&edit{}, `{"email":null,"role":null,"disabled":null,"title":null}`, [][3]string{
			{"email", "invalid_email", email},
			{"current_password", "required", "Is required to change the e-mail address."},
			{"role", "invalid_role", `Must be "user" or "admin".`},
			{"disabled", "not_allowed", "Must be true or false."},
			{"title", "invalid_title", "Must be 1 to 200 characters, without control characters."},
		}},
		{&edit{}, `{"preferences":[],"context":"x"}`, [][3]string{
			{"preferences", "not_an_object", object}, {"context", "not_an_object", object},
		}},
		{&edit{}, `{"preferences":{"a":"` + strings.Repeat("x", 16<<10) + `"}}`, [][3]string{
			{"preferences", "too_large", "Must be at most 16384 bytes of JSON without white space, but has 16392."},
		}},

		{&transplant{}, `{"move_to":"a"}`, nil},
		{&transplant{}, `{"copy_to":"a"}`, nil},
		{&transplant{}, `{}`, [][3]string{{"move_to", "required", oneWay}}},
		{&transplant{}, `{"move_to":null}`, [][3]string{{"move_to", "required", oneWay}}},
		{&transplant{}, `{"copy_to":null}`, [][3]string{{"copy_to", "required", oneWay}}},
		{&transplant{}, `{"move_to":"a","copy_to":"b"}`, [][3]string{{"copy_to", "required", oneWay}}},
		{&transplant{}, `{"move_to":".htaccess"}`, [][3]string{
			{"move_to", "name_reserved", "Nextcloud reserves this name: .htaccess, and names that end in .part or .filepart."},
		}},

		{&proof{}, `{"currentPassword":"a"}`, nil},
		{&proof{}, `{"current_password":"a","old_password":"a","currentPassword":"a"}`, nil},
		{&proof{}, `{}`, [][3]string{{"current_password", "required", "Is required."}}},
		{&proof{}, `{"old_password":null}`, [][3]string{{"old_password", "required", "Is required."}}},
		{&proof{}, `{"current_password":""}`, [][3]string{{"current_password", "required", "Is required."}}},
		{&proof{}, `{"current_password":"a","old_password":"","currentPassword":"b"}`, [][3]string{
			{"old_password", "not_allowed", "Must be left out, or be the same, when current_password is sent."},
			{"currentPassword", "not_allowed", "Must be left out, or be the same, when current_password is sent."},
		}},
		{&proof{}, `{"old_password":"a","currentPassword":"b"}`, [][3]string{
			{"currentPassword", "not_allowed", "Must be left out, or be the same, when old_password is sent."},
		}},

		{&app{}, `{"name":"ü"}`, [][3]string{
			{"name", "invalid_app_name", "Must have 1 to 100 printable ASCII characters; Nextcloud does not show others."},
		}},
	} {
		if err := json.Unmarshal([]byte(test.body), test.request); err != nil {
			t.Fatal(err)
		}
		var got [][3]string
		if f := fault.Of(validation.Check(test.request)); f != nil {
			for _, e := range f.Fields {
				got = append(got, [3]string{e.Field, e.Code, e.Message})
			}
			if f.Code != "validation_failed" || f.Kind != fault.Invalid {
				t.Errorf("%T of %.100s: got %+v", test.request, test.body, f)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%T of %.100s: (-want +got)\n%s", test.request, test.body, diff)
		}
	}
}

func TestCheck_ReportsAtMostTwenty(t *testing.T) {
	t.Parallel()
	type R struct {
		A, B, C, D, E, F, G, H, I, J, K, L, M, N, O, P, Q, R, S, T app
		U                                                          string `json:"u" validate:"omitempty,role"`
	}
	for u, truncated := range map[string]bool{"": false, "root": true} {
		f := fault.Of(validation.Check(&R{U: u}))
		if f == nil || len(f.Fields) != fault.MaxFields || f.Truncated != truncated {
			t.Errorf("%+v", f)
		}
	}
}

// TestCheck_ProgrammingErrorsAreInternal: whatever nobody knows what to say of is no fault of
// the client.
func TestCheck_ProgrammingErrorsAreInternal(t *testing.T) {
	t.Parallel()
	type silent struct {
		Name string `json:"name" validate:"len=3"`
	}
	err := validation.Check(&silent{Name: "long"})
	if f := fault.Of(err); f == nil || f.Kind != fault.Internal || !strings.Contains(err.Error(), "len of silent.Name") {
		t.Errorf("a tag without a message: %v", err)
	}
	if err := validation.Check("text"); fault.Of(err).Kind != fault.Internal {
		t.Errorf("no struct: %v", err)
	}
	for _, request := range []any{
		&struct {
			Name string `validate:"no_such_tag"`
		}{},
		&struct {
			Count int `validate:"email"`
		}{},
		&struct {
			Password secret.String `validate:"password"`
		}{},
	} {
		if !panics(func() { _ = validation.Check(request) }) {
			t.Errorf("%T passes", request)
		}
	}
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// itself runs this test binary with one test, a setting and nothing else.
func itself(t *testing.T, test, setting string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), setting)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// TestCheck_BuildsNothingBeforeFirstUse reads how much the package allocates
// before main; the validator takes more than a thousand objects.
func TestCheck_BuildsNothingBeforeFirstUse(t *testing.T) {
	t.Parallel()
	trace := itself(t, "None", "GODEBUG=inittrace=1")
	line := regexp.MustCompile(`init (\S+) @.* (\d+) allocs`)
	seen := false
	for _, m := range line.FindAllStringSubmatch(trace, -1) {
		allocs, err := strconv.Atoi(m[2])
		seen = seen || strings.HasSuffix(m[1], "playground/validator/v10")
		if strings.HasSuffix(m[1], "shared/validation") && (err != nil || allocs > 20) {
			t.Errorf("before main: %s", m[0])
		}
	}
	if !seen {
		t.Errorf("no trace of what is done before main: %s", trace)
	}
}

const firstUse = "VALIDATION_TEST_FIRST_USE"

// TestCheck_ConcurrentFirstUse runs in a process that has not used the
// validator, where many requests of several types come at once.
func TestCheck_ConcurrentFirstUse(t *testing.T) {
	t.Parallel()
	if os.Getenv(firstUse) == "" {
		itself(t, t.Name(), firstUse+"=1")
		return
	}
	var all sync.WaitGroup
	start, wrong := make(chan struct{}), make(chan error, 100)
	for i := range cap(wrong) {
		all.Go(func() {
			<-start
			request := []any{&newAccount{}, &credentials{}, &transplant{}, &app{}}[i%4]
			if f := fault.Of(validation.Check(request)); f == nil || len(f.Fields) == 0 || f.Fields[0].Code != "required" {
				wrong <- fmt.Errorf("%T: %+v", request, f)
			}
		})
	}
	close(start)
	all.Wait()
	close(wrong)
	for err := range wrong {
		t.Error(err)
	}
}

func BenchmarkCheck(b *testing.B) {
	for name, request := range map[string]*newAccount{
		"good": {Email: "ada@example.org", FullName: "Ada", Password: "correct horse battery"}, "bad": {},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := validation.Check(request); (err == nil) != (name == "good") {
					b.Fatal(errors.Unwrap(err))
				}
			}
		})
	}
}
