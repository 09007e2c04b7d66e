// Package validation checks requests by their `validate` tags, with
// go-playground/validator.
//
// The tags say which members are required, which words they accept, and which of
// our rules they obey (email, password, title …). The Parse function of a type
// defines its rule, and the function calls it later to get the value. The tags
// report everything that is wrong with a request at once.
//
// Begin with [Check], which a route takes as its last argument:
//
//	endpoint.JSON(http.StatusOK, f.register, validation.Check)
//
// A new rule is a line in rules. A tag of the library that is not used yet needs
// a line in messages.
//
// The package may import foundation, the domain rules and the adapters. Only
// functions may import it.
package validation
