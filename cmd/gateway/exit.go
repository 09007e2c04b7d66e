package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// The exit codes, as the help topic "exit-codes" explains them.
const (
	exitFailed     = 1
	exitUsage      = 2
	exitNotChecked = 3
)

// A checkError is the reason why a check could not run. What a check finds is not
// one.
type checkError struct{ error }

func (e checkError) Unwrap() error { return e.error }

// notChecked marks err as the reason why a check could not run.
func notChecked(err error) error { return checkError{err} }

// A usageError is an invalid command line: one line that names the mistake and what
// the command accepts.
type usageError string

func (e usageError) Error() string { return string(e) }

func usagef(format string, args ...any) error { return usageError(fmt.Sprintf(format, args...)) }

// explain returns the error that an operator reads in place of a [fault.Error]: its
// details without its code. It adds the cause of a failure that only the operator
// can fix, of the gateway or of a server that it depends on.
func explain(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	if len(f.Fields) == 0 {
		if cause := f.Unwrap(); cause != nil && (f.Kind == fault.Unavailable || f.Kind == fault.Internal) {
			return fmt.Errorf("%s (%w)", f.Detail, cause)
		}
		return errors.New(f.Detail)
	}
	lines := make([]string, len(f.Fields))
	for i, field := range f.Fields {
		lines[i] = field.Field + ": " + field.Message
	}
	return errors.New(strings.Join(lines, "\n"))
}
