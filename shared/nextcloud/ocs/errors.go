package ocs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The kinds of errors. Check with [errors.Is], and check [ErrUncertain] first, since an
// error can be of another kind, too.
var (
	// ErrUncertain: the call may have had its effect. [Client.User] shows whether it did.
	ErrUncertain = errors.New("the call may have had its effect")
	// ErrExists: the ID is taken, in any letter case. The server also returns this after
	// it created an account and then failed to read the quota, so the account may be the
	// caller's: check with [Client.Authenticate].
	ErrExists = errors.New("the user exists")
	// ErrNoUser: there is no user with that ID.
	ErrNoUser = errors.New("there is no such user")
	// ErrNoGroup: there is no group with that name.
	ErrNoGroup = errors.New("there is no such group")
	// ErrUnauthorized: a wrong password, or a disabled or unknown account. The server
	// counts it as a failed login, and delays all calls from this address: do not retry
	// with the same credentials.
	ErrUnauthorized = errors.New("the credentials are refused")
	// ErrForbidden: the calling account is not an administrator.
	ErrForbidden = errors.New("not allowed")
	// ErrRateLimited: too many calls. [Error].RetryAfter is set.
	ErrRateLimited = errors.New("too many calls")
	// ErrUnavailable: no connection, a timeout, an overloaded server, or one that locked
	// this address out after too many failed logins. Nothing was changed.
	ErrUnavailable = errors.New("the server is not available")
	// ErrMaintenance is an [ErrUnavailable] until an administrator ends the maintenance mode.
	ErrMaintenance = fmt.Errorf("maintenance: %w", ErrUnavailable)
	// ErrBadAnswer: the response is not one of Nextcloud, such as HTML, a redirect, or an
	// incomplete or oversized document.
	ErrBadAnswer = errors.New("the answer is not that of a Nextcloud")
	// ErrRefused: rejected permanently. [Error].Code has the reason.
	ErrRefused = errors.New("refused")
	// ErrInvalid is an [ErrRefused] for an invalid value. [Client.CreateUser] also returns
	// it to the loser of a race for one ID.
	ErrInvalid = fmt.Errorf("a value is not acceptable: %w", ErrRefused)
	// ErrWeakPassword is an [ErrRefused] because of the server's password policy.
	ErrWeakPassword = fmt.Errorf("password policy: %w", ErrRefused)
)

// An Error is the failure of a call of a [Client].
type Error struct {
	Op         string        // the call: "create user"
	Kind       error         // one of the Err… values
	Status     int           // HTTP status; 0 without a response
	Code       int           // ocs.meta.statuscode; 0 if the response has none
	Message    string        // message of the server, for operators only; may be ""
	RetryAfter time.Duration // when to retry; 0 if unknown

	uncertain bool  // also ErrUncertain
	cause     error // never contains a URL, a header or a body
}

// Error returns one line for operators. It contains no user and no secret.
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

// RetryAfter returns how long to wait before a retry, or 0 if err has no such time.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}
