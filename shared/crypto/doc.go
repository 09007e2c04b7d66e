// Package crypto groups the packages about keys. It contains no code.
//
//   - keyring derives the symmetric keys of the gateway from one secret.
//   - keystore stores generated keys in a file, and knows the steps of a rotation.
//   - seal encrypts values for the database.
//   - pemtext parses keys and certificates in PEM.
//
// Begin with keyring.Ring. The packages import only foundation.
package crypto
