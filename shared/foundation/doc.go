// Package foundation groups small packages that every other package may import. It
// contains no code.
//
//   - fault: errors that clients may see.
//   - uid: UUIDs.
//   - correlation: the IDs by which clients find their requests in our logs.
//   - document: JSON objects that clients store.
//   - secret: strings that do not print themselves.
//   - setting: how a package declares its settings.
//   - filelock: locks on files.
//   - background: loops that repeat work.
//   - defense: switches with which attack tests turn defenses off; constants otherwise.
//   - version: the version of this build.
//
// Start with fault.Error. The packages import only each other and the standard
// library, except google/uuid in uid and golang-jwt in attack tests.
package foundation
