// Package config reads settings from the environment.
//
// Packages declare their settings with package setting. A program passes a lookup
// such as [os.LookupEnv] to [New], and loads the settings with [Env.Load], which
// returns all mistakes together: one line each, with the variable, its value and
// what it accepts.
//
// Begin with [New]. The package may import only foundation. Only programs and
// package faas may import it.
package config
