package secrets

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// credentials are the AWS credentials that Lambda sets in a function's environment.
type credentials struct {
	accessKeyID     string
	secretAccessKey secret.String // never sent
	sessionToken    secret.String // sent; empty for long-term credentials
}

// sign adds the headers of AWS Signature Version 4 to r, which will send body.
// Headers that are added later are not signed. AWS accepts the signature for five
// minutes before and after now.
func sign(r *http.Request, body []byte, c credentials, region, service string, now time.Time) error {
	sum := sha256.Sum256(body)
	return v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{
		AccessKeyID: c.accessKeyID, SecretAccessKey: c.secretAccessKey.Reveal(), SessionToken: c.sessionToken.Reveal(),
	}, r, hex.EncodeToString(sum[:]), service, region, now)
}
