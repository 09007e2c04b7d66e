// Package identity groups the packages about people and how they prove who they
// are. It contains no code.
//
//   - account: accounts, e-mail addresses, roles.
//   - password: bcrypt hashes, the queue in front of them, password rules.
//   - signin: logins (one row for each signed-in device) and refresh tokens.
//   - token: access tokens, the keys that sign them, and the token response.
//   - linktoken: single-use tokens in the links of mails.
//   - registration: the only way to create an account.
//
// Begin with signin.Login. All except registration are rules: they do no I/O, and
// import only foundation, crypto, audit, ratelimit and each other.
package identity
