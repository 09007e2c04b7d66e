// Package crypto groups the packages about keys. It contains no code.
//
//   - keyring: derives every key of the gateway from one secret.
//   - keystore: the file with generated keys, and the steps of a key rotation.
//   - seal: encrypts values for the database.
//   - pemtext: keys and certificates in PEM.
//
// Begin with keyring.Ring. The packages import only foundation.
package crypto
