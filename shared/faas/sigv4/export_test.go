package sigv4

import "encoding/hex"

// SigningKey is the derived key, in hex.
func SigningKey(c Credentials, day, region, service string) string {
	return hex.EncodeToString(signingKey(c.SecretAccessKey, day, region, service))
}
