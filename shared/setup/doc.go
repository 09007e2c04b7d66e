// Package setup builds from settings what several programs are made of. The
// binary and every Lambda function call the same code, so a setting means the
// same in each of them.
//
// Begin with [HTTP]. The package may import rules, adapters and services, but
// neither functions nor config: programs load the settings and pass them in.
package setup
