// Package foundation groups small packages that every other may import. It
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
//   - defense: switches by which attack tests turn defenses off; constants elsewhere.
//   - version: the version of this build.
//
// Begin with fault.Error. The packages import only each other and the standard
// library, apart from google/uuid.
package foundation
