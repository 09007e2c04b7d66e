package ocs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What became of a call. Compare with [errors.Is]; [ErrUncertain] first, since
// it can stand beside another one.
var (
	// ErrUncertain: the call may have had its effect. Settle it with [Client.User].
	ErrUncertain = errors.New("the call may have had its effect")
	// ErrExists: the id is taken, whatever its letter case. The server says the
	// same after it made an account and then could not read the quota, so it
	// can be ours: ask [Client.Authenticate].
	ErrExists = errors.New("the user exists")
	// ErrNoUser: there is no user of that id.
	ErrNoUser = errors.New("there is no such user")
	// ErrNoGroup: there is no group of that name.
	ErrNoGroup = errors.New("there is no such group")
	// ErrUnauthorized: wrong password, or a disabled or unknown account. It
	// counts as a strike that slows the server for all calls from this address:
	// do not try the same again.
	ErrUnauthorized = errors.New("the credentials are refused")
	// ErrForbidden: the account that calls may not do that; it is no administrator.
	ErrForbidden = errors.New("not allowed")
	// ErrRateLimited: too many calls; [Error].RetryAfter is always set with it.
	ErrRateLimited = errors.New("too many calls")
	// ErrUnavailable: no connection, no answer in time, an overloaded server, or
	// one that locked us out after too many strikes. Nothing was changed.
	ErrUnavailable = errors.New("the server is not available")
	// ErrMaintenance is an [ErrUnavailable] that an administrator ends.
	ErrMaintenance = fmt.Errorf("maintenance: %w", ErrUnavailable)
	// ErrBadAnswer: what came back is not what Nextcloud answers, such as HTML,
	// a redirect, half a document or too much of it.
	ErrBadAnswer = errors.New("the answer is not that of a Nextcloud")
	// ErrRefused: understood and refused for good; [Error].Code says why.
	ErrRefused = errors.New("refused")
	// ErrInvalid is an [ErrRefused] for a value that is not acceptable. On
	// [Client.CreateUser] it can also be the loser's answer of a race for one id.
	ErrInvalid = fmt.Errorf("a value is not acceptable: %w", ErrRefused)
	// ErrWeakPassword is an [ErrRefused] by the server's password policy.
	ErrWeakPassword = fmt.Errorf("password policy: %w", ErrRefused)
)

// An Error is what every call of a [Client] returns on failure.
type Error struct {
	Op         string        // the call: "create user"
	Kind       error         // one of the Err… values
	Status     int           // HTTP status; 0 without an answer
	Code       int           // ocs.meta.statuscode; 0 where the answer had none
	Message    string        // the server's own words, for operators only; may be ""
	RetryAfter time.Duration // when trying again may help; 0 is unsaid

	uncertain bool  // also ErrUncertain
	cause     error // never holds a URL, a header or a body
}

// Error returns one line for operators. It names no user and no secret.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("nextcloud: " + e.Op + ": " + e.Kind.Error())
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d", e.Status)
		if e.Code != 0 {
			fmt.Fprintf(&b, ", code %d", e.Code)
		}
		if e.Message != "" {
			b.WriteString(", " + strconv.Quote(e.Message))
		}
		b.WriteByte(')')
	}
	if e.cause != nil {
		b.WriteString(": " + e.cause.Error())
	}
	return b.String()
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error {
	all := []error{e.Kind}
	if e.uncertain {
		all = append(all, ErrUncertain)
	}
	if e.cause != nil {
		all = append(all, e.cause)
	}
	return all
}

// RetryAfter returns how long err asks to wait, or 0 where it does not say.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}
