//go:build !attacktest

package defense

// Passwords and accounts.
const (
	ClientLimit        = true // the rate limit of a route for each client address
	AccountLimit       = true // the rate limit of logins to one account
	PasswordLimit      = true // the rate limit of password checks behind an access token
	NetworkOfIPv6      = true // the addresses of an IPv6 /64 count as one client
	TrustedProxies     = true // only trusted proxies set X-Forwarded-For
	HashCost           = true // the cost of bcrypt; off in most weakened gateways, to save time
	HashForEveryLogin  = true // an unknown account takes as long to refuse as a known one
	OneAnswer          = true // all failed logins get the same answer
	SilentRegistration = true // does not reveal that an address is registered
	InvitedUsersOnly   = true // nobody registers where users are invited
	SilentRecovery     = true // neither does the answer to a request for a mail
	EvenRecovery       = true // nor the time that it takes
	AccountState       = true // a disabled account cannot log in
	VerifiedAddress    = true // no login before the address is verified, where a setting says so
	ConfirmedPassword  = true // the password is still the one that was verified
	LiveLogin          = true // the login has not ended and its account is enabled
	AdministratorsOnly = true // the role of the caller
	OwnersOnly         = true // the owner, in every statement
	KeyScopes          = true // an API key does only what its scopes and the route allow
	SecondFactor       = true // a code, besides the password, where an account has a second factor
	ChallengeSeal      = true // a code is only checked with the proof that the password was right
	ChallengeOnce      = true // a challenge starts one login, after at most some tries, while the password stays
	CodeReplay         = true // a code is accepted once
	WrongCodeLimit     = true // how many wrong codes an account may get
)

// Tokens and cookies.
const (
	AccessTokenHeader = true // the token chooses neither algorithm nor key
	AccessTokenClaims = true // times, audience, form and size
	TokenKind         = true // an access token is no refresh token
	RefreshTokenMAC   = true // the MAC of refresh tokens
	RefreshTokenReuse = true // a used refresh token ends its login
	LinkTokenMAC      = true // the MAC of tokens in mails
	LinkTokenPurpose  = true // a token in a mail is for one purpose
	LinkTokenExpiry   = true // tokens in mails expire
	LinkTokenState    = true // a token in a mail works once, while the account is as it was
	RequestOrigin     = true // foreign pages cannot use the cookie (CSRF)
	AllowedOrigins    = true // foreign pages cannot read responses (CORS)
	SingleCookie      = true // a second refresh cookie is refused
	CookieAttributes  = true // HttpOnly
)

// Requests.
const (
	MailLimit        = true // how many mails of one kind a mailbox gets
	KnownFields      = true // unknown members of a body are refused
	BodyLimits       = true // size, depth, and members that appear twice
	HeaderLimit      = true // the size of all headers
	FilePaths        = true // no name in a path is . or .., or contains a slash
	ParameterizedSQL = true // values never become part of a statement
	HostHeader       = true // redirects lead to the host of the request only
	ConnectionClose  = true // requests of ambiguous length end the connection
	LogEncoding      = true // line breaks in the log are escaped
)

// SQL returns the condition that a statement applies for a defense.
func SQL(_ bool, condition string) string { return condition }

// Limit returns the limit n that a defense sets.
func Limit(_ bool, n int) int { return n }

// Bind returns the query and the arguments that the database binds to it.
func Bind(query string, args []any) (string, []any) { return query, args }

// Algorithms returns the one signature algorithm that access tokens may have.
func Algorithms(only string) []string { return []string{only} }

// VerificationKey returns the key that verifies an access token with the header.
func VerificationKey(_ map[string]any, key any) any { return key }

// LoginOfAccessToken returns "": an access token is no refresh token.
func LoginOfAccessToken(string) string { return "" }

// Pause does nothing.
func Pause(Point) {}
