// Package fault has the errors that clients may see.
//
// An [Error] is the only error that reaches clients. The packages that define a rule
// declare its errors as values ("email_taken"), functions return them, and package
// endpoint renders them as RFC 9457 problems. Any other error is [Internal]: an
// unclassified failure is the gateway's, never the caller's.
//
// fault imports only the standard library and is independent of HTTP.
package fault

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// A Kind classifies faults by what the caller can do. Its zero value is [Internal].
type Kind int

// The kinds of fault. endpoint maps each to one HTTP status.
const (
	Internal             Kind = iota // a failure of the gateway: a bug, or an impossible state
	Malformed                        // the request cannot be parsed
	Invalid                          // the request has unacceptable values
	Unauthenticated                  // the request has no valid credentials
	InvalidToken                     // the token is not valid (RFC 6750 section 3.1)
	Forbidden                        // the caller is known, but not allowed to do this
	NotFound                         // the resource does not exist, or belongs to another user
	MethodNotAllowed                 // the resource does not support the method
	Conflict                         // the state of the resource prevents the request
	PreconditionFailed               // a condition in the request is not met
	TooLarge                         // more bytes than allowed
	RangeNotSatisfiable              // the resource does not have the requested bytes
	UnsupportedMediaType             // the endpoint does not read this content type
	RateLimited                      // too many requests
	Unavailable                      // a service that the gateway depends on does not respond
	InsufficientStorage              // no space is left for the data

	kinds // the number of kinds
)

// Kinds returns every kind, for tests that iterate over them.
func Kinds() []Kind {
	all := make([]Kind, 0, kinds)
	for k := range kinds {
		all = append(all, k)
	}
	return all
}

// An Error is a failure with three audiences: programs read Code, people read
// Detail, operators read the wrapped cause. Code, Detail and Fields may be sent
// to the caller; the cause never is. An Error is immutable once shared.
type Error struct {
	Kind       Kind
	Code       string        // stable snake_case identifier, listed in docs/api.md
	Detail     string        // one sentence, safe for the caller
	Fields     []Field       // the invalid inputs; only with Invalid
	Truncated  bool          // there are more invalid inputs than Fields lists
	RetryAfter time.Duration // how long to wait before a retry; 0 if unknown

	cause error
}

// A Field is one invalid input.
type Field struct {
	Field   string `json:"field"`   // the name on the wire
	Code    string `json:"code"`    // stable snake_case identifier
	Message string `json:"message"` // what would be valid, for people
}

// New returns an error without a cause. Declare it once, and compare errors with it
// by [errors.Is].
func New(kind Kind, code, detail string) *Error {
	return &Error{Kind: kind, Code: code, Detail: detail}
}

// Error returns the code and the cause, for operators. It must not be sent to
// clients.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Code
	}
	return e.Code + ": " + e.cause.Error()
}

// Unwrap returns the private cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is a fault with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Because returns a copy of e with a private cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// WithDetail returns a copy of e with a more specific sentence for the caller.
func (e *Error) WithDetail(detail string) *Error {
	c := *e
	c.Detail = detail
	return &c
}

// After returns a copy of e with the time to wait before a retry.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

var errInternal = New(Internal, "internal_error", "The gateway failed to handle the request.")

// Of returns the fault in err's chain; an unclassified err becomes [Internal]
// with err as its cause. Of(nil) is nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		if error(e) != err { //nolint:errorlint // whether anything wraps it
			return e.Because(err) // keep the wrapping errors for the log
		}
		return e
	}
	return errInternal.Because(err)
}

// Limits of the invalid inputs that one fault lists. Clients can send fields with
// any names, so without limits the response would grow with the request.
const (
	MaxFields    = 20 // fields
	MaxFieldName = 64 // bytes of a name
)

// Fields collects the invalid inputs of one request, so that the caller learns of
// all of them at once. It holds at most one more than [MaxFields], as a sign that
// the list is truncated. The zero value is ready to use.
type Fields []Field

// Check adds the field unless ok is true.
func (f *Fields) Check(ok bool, field, code, message string) {
	if !ok && len(*f) <= MaxFields {
		*f = append(*f, Field{Field: truncate(field), Code: code, Message: message})
	}
}

// truncate shortens a name to [MaxFieldName] bytes, at a character boundary.
func truncate(name string) string {
	if len(name) <= MaxFieldName {
		return name
	}
	return strings.ToValidUTF8(name[:MaxFieldName], "") + "…"
}

// Parse adds the field with the code and detail of err, unless err is nil.
func (f *Fields) Parse(field string, err error) {
	if e := Of(err); e != nil {
		f.Check(false, field, e.Code, e.Detail)
	}
}

// Err returns nil if f is empty, and otherwise an [Invalid] fault that lists the
// fields.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	e := New(Invalid, "validation_failed", "Some values are invalid; errors lists each.")
	e.Fields, e.Truncated = f[:min(len(f), MaxFields)], len(f) > MaxFields
	return e
}

// ParseField parses one input of a request with the Parse function of its type. It
// adds an error to f, and does nothing if f already contains the field. The result
// is valid only if f stays empty.
func ParseField[In, Out any](f *Fields, field string, raw In, parse func(In) (Out, error)) Out {
	if slices.ContainsFunc(*f, func(known Field) bool { return known.Field == field }) {
		var none Out
		return none
	}
	out, err := parse(raw)
	f.Parse(field, err)
	return out
}
