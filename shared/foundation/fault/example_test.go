package fault_test

import (
	"errors"
	"fmt"

	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// A package declares the errors of its rules as values. The cause is for operators;
// errors.Is matches by the code.
func Example() {
	errTaken := fault.New(fault.Conflict, "email_taken", "This address is registered.")
	err := fmt.Errorf("create: %w", errTaken.Because(errors.New("duplicate key")))

	f := fault.Of(err)
	fmt.Println(f.Kind == fault.Conflict, f.Code, f.Detail)
	fmt.Println(errors.Is(err, errTaken), errors.Unwrap(f))
	// Output:
	// true email_taken This address is registered.
	// true create: email_taken: duplicate key
}
