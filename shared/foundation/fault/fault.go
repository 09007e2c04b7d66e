// Package fault says what went wrong and whose move it is.
//
// An [Error] is the only error that crosses from the rules to the wire. The
// packages that know a rule declare their errors as values ("email_taken"),
// functions return them, and endpoint renders them as RFC 9457 problems. An
// error that is no *Error is [Internal]: unclassified failures are ours, never
// the caller's.
//
// fault imports the standard library only and knows nothing of HTTP.
package fault

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// A Kind is whose move it is. Its zero value is [Internal].
type Kind int

// The kinds of fault. endpoint maps each to one HTTP status.
const (
	Internal             Kind = iota // ours: a bug, or a state that should not be
	Malformed                        // the request cannot be understood
	Invalid                          // understood, but its values are not acceptable
	Unauthenticated                  // nobody proved who is asking
	InvalidToken                     // a token was sent, and it is not good (RFC 6750 section 3.1)
	Forbidden                        // we know who asks, and the answer is no
	NotFound                         // no such thing, or not the caller's
	MethodNotAllowed                 // the thing exists, the method does not fit
	Conflict                         // the state of the thing stands against it
	PreconditionFailed               // a condition the caller set does not hold
	TooLarge                         // more bytes than allowed
	RangeNotSatisfiable              // the thing has no such bytes
	UnsupportedMediaType             // a content type this endpoint does not read
	RateLimited                      // too often
	Unavailable                      // something we depend on does not answer
	InsufficientStorage              // there is no room for it

	kinds // how many there are
)

// Kinds returns every kind, for tests that walk them.
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
	Code       string        // stable snake_case word, listed in docs/api.md
	Detail     string        // one sentence, safe for the caller
	Fields     []Field       // which inputs were wrong; only with Invalid
	Truncated  bool          // more were wrong than Fields tells
	RetryAfter time.Duration // when trying again may help; 0 is unsaid

	cause error
}

// A Field is one input that was wrong.
type Field struct {
	Field   string `json:"field"`   // the name on the wire
	Code    string `json:"code"`    // stable snake_case word
	Message string `json:"message"` // what would be right, for people
}

// New returns an error without a cause, to be declared once and compared with
// [errors.Is].
func New(kind Kind, code, detail string) *Error {
	return &Error{Kind: kind, Code: code, Detail: detail}
}

// Error returns the code and the cause, for operators; it is never sent out.
func (e *Error) Error() string {
	if e.cause == nil {
		return e.Code
	}
	return e.Code + ": " + e.cause.Error()
}

// Unwrap returns the private cause, or nil.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the same fault: two faults are one by code.
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

// WithDetail returns a copy of e with another sentence for the caller, which tells
// more exactly what is wrong.
func (e *Error) WithDetail(detail string) *Error {
	c := *e
	c.Detail = detail
	return &c
}

// After returns a copy of e that tells the caller when to try again.
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
			return e.Because(err) // keep the operations wrapped around it for the log
		}
		return e
	}
	return errInternal.Because(err)
}

// What one fault tells of the inputs that were wrong. Clients may name fields
// as they like, so that an answer without bounds would grow with the request.
const (
	MaxFields    = 20 // fields
	MaxFieldName = 64 // bytes of the name of one
)

// Fields collects the wrong inputs of one request, so that all are told at
// once: [MaxFields] of them, and one more that says there are more. Its zero
// value is ready for use.
type Fields []Field

// Check adds the field unless ok holds.
func (f *Fields) Check(ok bool, field, code, message string) {
	if !ok && len(*f) <= MaxFields {
		*f = append(*f, Field{Field: truncate(field), Code: code, Message: message})
	}
}

// truncate cuts a name after [MaxFieldName] bytes, between two characters.
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

// Err returns nil when nothing was added, else one [Invalid] fault that lists
// everything.
func (f Fields) Err() error {
	if len(f) == 0 {
		return nil
	}
	e := New(Invalid, "validation_failed", "Some values are invalid; errors lists each.")
	e.Fields, e.Truncated = f[:min(len(f), MaxFields)], len(f) > MaxFields
	return e
}

// ParseField parses one input of a request with the rule of its type. What is
// wrong goes to f, once a field: an input that was refused already is not
// looked at again. The result counts only when f stays empty.
func ParseField[In, Out any](f *Fields, field string, raw In, parse func(In) (Out, error)) Out {
	if slices.ContainsFunc(*f, func(known Field) bool { return known.Field == field }) {
		var none Out
		return none
	}
	out, err := parse(raw)
	f.Parse(field, err)
	return out
}
