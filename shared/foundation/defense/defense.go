// Package defense lets the attack tests turn off one defense of the gateway at a
// time.
//
// Every attack in package test runs twice: against the gateway as it is delivered,
// where it must fail, and against a gateway without the defense it aims at, where
// it must succeed. Otherwise the test would prove nothing. So the code that applies
// a defense asks whether it is on:
//
//	if defense.RefreshTokenMAC && !hmac.Equal(got, want) {
//
// In a normal build (normal.go) every defense is the constant true, and every
// function returns its argument or nothing: the compiler removes them, and
// TestDefenses_CannotBeTurnedOff checks that no delivered binary contains anything
// of this package. Only the build tag attacktest (weakened.go) turns the constants
// into variables. The race detector of Go's standard library works in the same way,
// see internal/race.
//
// [Pause] marks the places at which the race tests hold a request.
package defense

// A Point is a place between a check and the act that it permits.
type Point string

// The points at which [Pause] can hold a request.
const (
	Admitted         Point = "admitted"          // the caller may make the request
	PasswordVerified Point = "password-verified" // and has confirmed the password
)
