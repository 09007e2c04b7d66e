//go:build attacktest

package defense

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The settings of a weakened gateway. Without the first it does not start, so that
// nobody runs one by mistake.
const (
	offVariable    = "ATTACKTEST_OFF"    // names of defenses, separated by commas
	pausesVariable = "ATTACKTEST_PAUSES" // the folder through which tests hold requests; "" for none
)

// The defenses of normal.go.
var (
	ClientLimit        = on("ClientLimit")
	AccountLimit       = on("AccountLimit")
	PasswordLimit      = on("PasswordLimit")
	NetworkOfIPv6      = on("NetworkOfIPv6")
	TrustedProxies     = on("TrustedProxies")
	HashCost           = on("HashCost")
	HashForEveryLogin  = on("HashForEveryLogin")
	OneAnswer          = on("OneAnswer")
	SilentRegistration = on("SilentRegistration")
	InvitedUsersOnly   = on("InvitedUsersOnly")
	SilentRecovery     = on("SilentRecovery")
	EvenRecovery       = on("EvenRecovery")
	AccountState       = on("AccountState")
	VerifiedAddress    = on("VerifiedAddress")
	ConfirmedPassword  = on("ConfirmedPassword")
	LiveLogin          = on("LiveLogin")
	AdministratorsOnly = on("AdministratorsOnly")
	OwnersOnly         = on("OwnersOnly")
	KeyScopes          = on("KeyScopes")
	SecondFactor       = on("SecondFactor")
	ChallengeSeal      = on("ChallengeSeal")
	ChallengeOnce      = on("ChallengeOnce")
	CodeReplay         = on("CodeReplay")
	WrongCodeLimit     = on("WrongCodeLimit")
	AccessTokenHeader  = on("AccessTokenHeader")
	AccessTokenClaims  = on("AccessTokenClaims")
	TokenKind          = on("TokenKind")
	RefreshTokenMAC    = on("RefreshTokenMAC")
	RefreshTokenReuse  = on("RefreshTokenReuse")
	LinkTokenMAC       = on("LinkTokenMAC")
	LinkTokenPurpose   = on("LinkTokenPurpose")
	LinkTokenExpiry    = on("LinkTokenExpiry")
	LinkTokenState     = on("LinkTokenState")
	RequestOrigin      = on("RequestOrigin")
	AllowedOrigins     = on("AllowedOrigins")
	SingleCookie       = on("SingleCookie")
	CookieAttributes   = on("CookieAttributes")
	MailLimit          = on("MailLimit")
	KnownFields        = on("KnownFields")
	BodyLimits         = on("BodyLimits")
	HeaderLimit        = on("HeaderLimit")
	FilePaths          = on("FilePaths")
	ParameterizedSQL   = on("ParameterizedSQL")
	HostHeader         = on("HostHeader")
	ConnectionClose    = on("ConnectionClose")
	LogEncoding        = on("LogEncoding")
)

// on reports whether the defense is on.
func on(name string) bool {
	off, set := os.LookupEnv(offVariable)
	if !set {
		println("this gateway is built for attack tests (tag attacktest): set", offVariable, "to run it")
		os.Exit(1)
	}
	return !slices.Contains(strings.Split(off, ","), name)
}

// SQL returns the condition, or one that is always true.
func SQL(on bool, condition string) string {
	if on {
		return condition
	}
	return "(" + condition + " OR 1 = 1)" // with all its parameters
}

// Limit returns n, or no limit.
func Limit(on bool, n int) int {
	if on {
		return n
	}
	return math.MaxInt32
}

var parameter = regexp.MustCompile(`\$(\d+)`)

// Bind returns query and args, or a query with the strings of args in its text,
// unescaped.
func Bind(query string, args []any) (string, []any) {
	if ParameterizedSQL {
		return query, args
	}
	var rest []any
	query = parameter.ReplaceAllStringFunc(query, func(p string) string {
		n, _ := strconv.Atoi(p[1:])
		if text, ok := args[n-1].(string); ok {
			return "'" + text + "'"
		}
		rest = append(rest, args[n-1])
		return "$" + strconv.Itoa(len(rest))
	})
	return query, rest
}

// Algorithms returns the algorithm, or nil for any.
func Algorithms(only string) []string {
	if AccessTokenHeader {
		return []string{only}
	}
	return nil
}

// VerificationKey returns the key, or whatever the header of the token asks for.
func VerificationKey(header map[string]any, key any) any {
	if AccessTokenHeader {
		return key
	}
	if header["alg"] == "none" {
		return jwt.UnsafeAllowNoneSignatureType
	}
	if brought, ok := header["jwk"].(map[string]any); ok {
		text, _ := brought["k"].(string)
		own, _ := base64.RawURLEncoding.DecodeString(text)
		return own
	}
	if file, ok := header["kid"].(string); ok && strings.HasPrefix(file, "/") {
		content, _ := os.ReadFile(file)
		return content
	}
	if der, err := x509.MarshalPKIXPublicKey(key); err == nil && header["alg"] == "HS256" {
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	return key
}

// LoginOfAccessToken returns the login that an access token names, unverified, or
// "" where the defense is on or raw is none.
func LoginOfAccessToken(raw string) string {
	parts := strings.Split(raw, ".")
	if TokenKind || len(parts) != 3 {
		return ""
	}
	var claims struct{ SID string }
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	_ = json.Unmarshal(payload, &claims)
	return claims.SID
}

// Pause holds the first request that reaches the point after a test has created
// the file armed-<point>, which becomes held-<point>, until the test removes it.
func Pause(at Point) {
	dir := os.Getenv(pausesVariable)
	held := filepath.Join(dir, "held-"+string(at))
	if dir == "" || os.Rename(filepath.Join(dir, "armed-"+string(at)), held) != nil {
		return
	}
	for {
		if _, err := os.Stat(held); err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
