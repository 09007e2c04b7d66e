package config

import (
	"fmt"
	"slices"
	"strings"
)

// A Mistake is what is wrong with a variable.
type Mistake struct {
	Variable string // "" if it is not about one variable
	Err      error  // one line that names the variable
}

// Error returns the line.
func (m Mistake) Error() string { return m.Err.Error() }

// Unwrap returns the cause.
func (m Mistake) Unwrap() error { return m.Err }

// Mistakes are all errors in the settings.
type Mistakes []Mistake

// Error returns a line for each mistake.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the mistakes.
func (m Mistakes) Unwrap() []error {
	errs := make([]error, len(m))
	for i, mistake := range m {
		errs[i] = mistake
	}
	return errs
}

// Err returns every mistake found so far as [Mistakes], or nil.
func (e *Env) Err() error {
	if len(e.mistakes) == 0 {
		return nil
	}
	return slices.Clone(e.mistakes)
}

// Refuse records that the variable has the value got; takes says what it accepts.
func (e *Env) Refuse(name, got, takes string) {
	e.addOnce(name, fmt.Errorf("%s is %q; it must be %s", name, got, takes))
}

// RefuseSecret is [Env.Refuse] for values that must not be shown; got says what
// is wrong with the value without quoting it.
func (e *Env) RefuseSecret(name, got, takes string) {
	e.addOnce(name, fmt.Errorf("%s %s; it must be %s", name, got, takes))
}

// AddMistake records a mistake that was found elsewhere, such as in a line of a
// file. Later mistakes about these variables follow from it and are dropped. err
// names the variable if there is one.
func (e *Env) AddMistake(err error, variables ...string) {
	about := ""
	if len(variables) == 1 {
		about = variables[0]
	}
	// Not addOnce: two lines may have the same mistake.
	e.mistakes = append(e.mistakes, Mistake{about, err})
	e.distrust(variables...)
}

// distrust drops later mistakes about these variables.
func (e *Env) distrust(variables ...string) {
	for _, name := range variables {
		if e.unreliable == nil {
			e.unreliable = map[string]bool{}
		}
		e.unreliable[name] = true
	}
}

// addOnce adds a mistake unless it is already known, because several packages read
// the same variable.
func (e *Env) addOnce(name string, err error) {
	same := func(m Mistake) bool { return m.Error() == err.Error() }
	if !e.unreliable[name] && !slices.ContainsFunc(e.mistakes, same) {
		e.mistakes = append(e.mistakes, Mistake{name, err})
	}
}
