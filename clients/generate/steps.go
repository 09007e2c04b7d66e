package main

// A folder is a part of the collection.
type folder struct {
	name  string
	steps []step
}

// A step is one request of the collection, and what its response must be. The
// description of the API knows the rest: method, path, parameters, body and the
// members of the response.
type step struct {
	name      string // the operation's summary when empty
	operation string // operationId
	path      string // value of the path parameter
	query     []field
	header    []field
	body      string // JSON, or content of a file; the one example of the description when empty
	form      []field
	as        string  // variable with the access token; "access_token" when empty, "nobody" for none
	status    int     // expected status
	code      string  // expected code of the problem document
	items     string  // schema of the items, where the description leaves open whether an array is returned
	text      string  // expected body, when it is no JSON
	until     string  // JavaScript condition; the request is repeated until it holds
	before    string  // JavaScript that runs before the request
	save      []field // variables, and the JavaScript expressions for their values
}

type field struct{ name, value string }

const (
	sessionID = "{{session_id}}"
	userID    = "{{other_user_id}}"
	invitedID = "{{invited_user_id}}"
	admin     = "admin_token"
	nobody    = "nobody"
	file      = "Documents/hello.txt"
)

// tokens saves what a login and a refresh return.
func tokens() []field {
	return []field{{"access_token", "body.access_token"}, {"refresh_token", "body.refresh_token"}}
}

// steps returns the collection in the order in which it runs. Every operation of
// the description occurs at least once.
func steps() []folder {
	return []folder{
		{"Service", []step{
			{operation: "health", status: 200},
			{operation: "ready", status: 200},
			{operation: "keys", status: 200},
		}},
		{"Register and log in", registerAndLogIn()},
		{"Profile", []step{
			{operation: "me", status: 200},
			{name: "Get my account, at a second address", operation: "authMe", status: 200},
			{operation: "authSession", status: 200},
			{operation: "getSecondFactor", status: 200},
			{operation: "setUpSecondFactor", body: `{"password": "{{password}}"}`, status: 200},
			{name: "A wrong code enables nothing", operation: "verifySecondFactor", body: `{"code": "none"}`, status: 400, code: "bad_code"},
			{name: "There are no backup codes yet", operation: "replaceBackupCodes", body: `{"code": "none"}`, status: 409, code: "second_factor_not_enabled"},
			{name: "There is no second factor to disable", operation: "disableSecondFactor", body: `{"password": "{{password}}", "code": "none"}`, status: 409, code: "second_factor_not_enabled"},
			{operation: "requestVerification", as: "nobody", body: `{"email": "nobody@example.org"}`, status: 202},
			{operation: "requestReset", as: "nobody", body: `{"email": "nobody@example.org"}`, status: 202},
			{name: "A made-up token verifies nothing", operation: "verifyEmail", as: "nobody", body: `{"token": "made-up"}`, status: 400, code: "bad_token"},
			{name: "A made-up token resets nothing", operation: "resetPassword", as: "nobody", body: `{"token": "made-up", "password": "{{password}}"}`, status: 400, code: "bad_token"},
			{name: "A made-up token accepts nothing", operation: "acceptInvitation", as: "nobody", body: `{"token": "made-up", "password": "{{password}}"}`, status: 400, code: "bad_token"},
			{name: "A made-up token undoes nothing", operation: "undoEmailChange", as: "nobody", body: `{"token": "made-up"}`, status: 400, code: "bad_token"},
			{name: "A made-up token disowns nothing", operation: "disownChange", as: "nobody", body: `{"token": "made-up"}`, status: 400, code: "bad_token"},
			{name: "An id is no challenge", operation: "verifyLogin", as: "nobody", body: `{"user_id": "{{user_id}}", "code": "none"}`, status: 401, code: "challenge_expired"},
			{name: "Change the name", operation: "changeMe", body: `{"full_name": "Augusta Ada King"}`, status: 200},
			{name: "Change the preferences", operation: "replaceMe", body: `{"preferences": {"language": "de"}}`, status: 200},
			{name: "No access token", operation: "me", as: nobody, status: 401, code: "missing_token"},
		}},
		{"Conversation sessions", []step{
			{operation: "createSession", status: 201, save: []field{{"session_id", "body.id"}}},
			{operation: "listSessions", query: []field{{"limit", "10"}}, status: 200},
			{operation: "session", path: sessionID, status: 200},
			{operation: "changeSession", path: sessionID, body: `{"title": "Climate"}`, status: 200},
			{name: "A field that does not exist", operation: "changeSession", path: sessionID, body: `{"colour": "red"}`, status: 422, code: "validation_failed"},
			{operation: "deleteSession", path: sessionID, status: 204},
			{name: "The session is gone", operation: "session", path: sessionID, status: 404, code: "not_found"},
		}},
		{"Nextcloud", nextcloud()},
		{"Files", files()},
		{"Logins and passwords", loginsAndPasswords()},
		{"Administration", administration()},
		{"Log out and delete", []step{
			{name: "Log out", operation: "logout", body: `{"refresh_token": "{{refresh_token}}"}`, status: 204},
			{name: "The access token is revoked", operation: "me", status: 401, code: "login_revoked"},
			{name: "Log in again", operation: "login", body: `{"email": "{{email}}", "password": "{{password}}"}`, status: 200, save: tokens()},
			{operation: "deleteMe", body: `{"password": "{{password}}"}`, status: 204},
		}},
	}
}

func registerAndLogIn() []step {
	return []step{
		{operation: "registration", status: 200},
		{name: "Register", operation: "register", body: `{"email": "{{email}}", "password": "{{password}}", "full_name": "Ada Lovelace"}`, status: 200,
			before: `pm.collectionVariables.set("email", "ada-" + Date.now() + "@example.com");`,
			save:   []field{{"user_id", "body.user.id"}}},
		{name: "The address is taken", operation: "register", body: `{"email": "{{email}}", "password": "{{password}}"}`, status: 409, code: "email_taken"},
		{name: "A wrong address and a short password", operation: "register", body: `{"email": "ada", "password": "short"}`, status: 422, code: "validation_failed"},
		{name: "Log in with the form of OAuth 2.0", operation: "login", status: 200, save: tokens(),
			form: []field{{"grant_type", "password"}, {"username", "{{email}}"}, {"password", "{{password}}"}}},
		{name: "A wrong password", operation: "login", body: `{"email": "{{email}}", "password": "wrong"}`, status: 401, code: "incorrect_credentials"},
		{name: "Refresh", operation: "refresh", body: `{"refresh_token": "{{refresh_token}}"}`, status: 200, save: tokens()},
	}
}

func nextcloud() []step {
	const id = "{{app_password_id}}"
	return []step{
		{name: "Wait for the account in Nextcloud", operation: "myNextcloud", status: 200, until: `body.status === "active"`},
		{name: "There is no account to claim", operation: "claimNextcloudAccount", status: 409, code: "nothing_to_claim"},
		{operation: "issueAppPassword", body: `{"name": "My phone", "password": "{{password}}"}`, status: 201, save: []field{{"app_password_id", "body.id"}}},
		{operation: "appPasswords", status: 200},
		{operation: "revokeAppPassword", path: id, status: 204},
	}
}

func files() []step {
	return []step{
		{name: "Make a folder", operation: "store", path: "Documents/", status: 201},
		{name: "Upload a file", operation: "store", path: file, body: "Hello, Nextcloud!", status: 201},
		{name: "Upload it only if it does not exist", operation: "store", path: file, body: "Hello again!", status: 412, code: "precondition_failed",
			header: []field{{"If-None-Match", "*"}}},
		{name: "List the folder", operation: "read", path: "Documents/", status: 200, items: "Entry"},
		{name: "Download the file", operation: "read", path: file, status: 200, text: "Hello, Nextcloud!"},
		{name: "Download a part of it", operation: "read", path: file, header: []field{{"Range", "bytes=0-4"}}, status: 206, text: "Hello"},
		{name: "Copy it", operation: "transplant", path: file, body: `{"copy_to": "Documents/copy.txt"}`, status: 201},
		{name: "Move it, and replace the copy", operation: "transplant", path: file, body: `{"move_to": "Documents/copy.txt", "overwrite": true}`, status: 204},
		{name: "The file is gone", operation: "read", path: file, status: 404, code: "file_not_found"},
		{name: "Delete the folder", operation: "remove", path: "Documents/", status: 204},
	}
}

func loginsAndPasswords() []step {
	const (
		change = `{"current_password": "{{password}}", "new_password": "{{new_password}}"}`
		back   = `{"current_password": "{{new_password}}", "new_password": "{{password}}"}`
	)
	return []step{
		{name: "Log in on a second device", operation: "login", body: `{"email": "{{email}}", "password": "{{password}}"}`, status: 200},
		{operation: "myLogins", status: 200, save: []field{{"login_id", "body.find(function (login) { return !login.current; }).id"}}},
		{operation: "endMyLogin", path: "{{login_id}}", status: 204},
		{operation: "createAPIKey", body: `{"name": "Backup script", "scopes": ["files:read"], "password": "{{password}}"}`, status: 201,
			save: []field{{"api_key_id", "body.id"}}},
		{operation: "apiKeys", status: 200},
		{operation: "deleteAPIKey", path: "{{api_key_id}}", status: 204},
		{name: "A wrong current password", operation: "changePassword", body: `{"current_password": "wrong", "new_password": "{{new_password}}"}`, status: 400, code: "incorrect_password"},
		{operation: "changePassword", body: change, status: 200},
		{name: "Change it back, at a second address", operation: "changeMyPassword", body: back, status: 200},
		{name: "Change it as VoiceAssist's web app does", operation: "replaceMyPassword",
			body: `{"currentPassword": "{{password}}", "newPassword": "{{new_password}}"}`, status: 200},
		{name: "Change it back", operation: "changePassword", body: back, status: 200},
	}
}

func administration() []step {
	return []step{
		{name: "Log in as an administrator", operation: "login", body: `{"email": "{{admin_email}}", "password": "{{admin_password}}"}`, status: 200,
			save: []field{{admin, "body.access_token"}}},
		{name: "Users are for administrators", operation: "listUsers", status: 403, code: "admin_required"},
		{operation: "listUsers", as: admin, query: []field{{"q", "{{email}}"}}, status: 200},
		{operation: "createUser", as: admin, body: `{"email": "other-{{email}}", "password": "{{password}}"}`, status: 201,
			save: []field{{"other_user_id", "body.id"}}},
		{operation: "user", as: admin, path: userID, status: 200},
		{operation: "inviteUser", as: admin, body: `{"email": "invited-{{email}}"}`, status: 201, save: []field{{"invited_user_id", "body.id"}}},
		{operation: "resendInvitation", as: admin, path: invitedID, status: 202},
		{name: "Delete the invited user", operation: "deleteUser", as: admin, path: invitedID, status: 204},
		{operation: "resetUserPassword", as: admin, path: userID, status: 202},
		{operation: "logOutUser", as: admin, path: userID, body: `{}`, status: 204},
		{name: "Disable a user", operation: "changeUser", as: admin, path: userID, body: `{"disabled": true}`, status: 200},
		{operation: "auditTrail", as: admin, query: []field{{"user_id", userID}, {"event", "account_disabled"}}, status: 200},
		{operation: "nextcloudAccounts", as: admin, query: []field{{"limit", "10"}}, status: 200},
		{operation: "nextcloudAccount", as: admin, path: "{{user_id}}", status: 200},
		{operation: "retryNextcloudAccount", as: admin, path: "{{user_id}}", status: 200},
		{name: "No such account to adopt", operation: "adoptNextcloudAccount", as: admin, path: userID, status: 409, code: "no_nextcloud_account"},
		{operation: "reconcileNextcloud", as: admin, status: 200},
		{operation: "deleteUser", as: admin, path: userID, status: 204},
	}
}
