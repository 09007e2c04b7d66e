// Package files is the function behind /api/files/: it streams files between the
// caller and their folder in Nextcloud, in both directions.
//
// Begin with [Function.Routes]. Package webdav decides which paths are valid and
// handles failures of Nextcloud; this package translates both to HTTP. It may
// import the domain and package access, but no other function.
package files
