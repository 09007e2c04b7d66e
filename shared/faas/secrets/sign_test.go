package secrets_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/faas/secrets"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// Key, time, signatures and case names are from AWS's user guide and its test suite for
// signers (aws-sig-v4-test-suite).
const (
	exampleID  = "AKIDEXAMPLE"
	exampleKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var exampleTime = time.Date(2015, 8, 30, 14, 36, 0, 0, time.FixedZone("CEST", 2*60*60))

func TestSign_MatchesPublishedSignatures(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	tests := []struct {
		name, method, url, service string
		header                     http.Header
		body                       string
		token                      secret.String
		signed, signature          string
	}{
		{
			"GET iam ListUsers (the user guide's example)", "GET",
			"https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", "iam",
			http.Header{"Content-Type": {form + "; charset=utf-8"}}, "", "",
			"content-type;host;x-amz-date", "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
		},
		{
			"get-vanilla", "GET", "https://example.amazonaws.com/", "service", nil, "", "",
			"host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		},
		{
			"get-vanilla without a path", "GET", "https://example.amazonaws.com", "service", nil, "", "",
			"host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		},
		{
			"get-vanilla-query-order-key-case", "GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", "service",
			nil, "", "",
			"host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
		},
		{
			"get-vanilla-query-order-value", "GET", "https://example.amazonaws.com/?Param1=value2&Param1=value1", "service",
			nil, "", "",
			"host;x-amz-date", "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
		},
		{
			"get-vanilla-query-unreserved", "GET",
			"https://example.amazonaws.com/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
			"service", nil, "", "",
			"host;x-amz-date", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
		},
		{
			"get-header-value-trim", "GET", "https://example.amazonaws.com/", "service",
			http.Header{"My-Header1": {" value1"}, "My-Header2": {` "a   b   c"`}}, "", "",
			"host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
		},
		{
			"post-vanilla", "POST", "https://example.amazonaws.com/", "service", nil, "", "",
			"host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
		},
		{
			"post-x-www-form-urlencoded", "POST", "https://example.amazonaws.com/", "service",
			http.Header{"Content-Type": {form}}, "Param1=value1", "",
			"content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
		},
		{
			"post-sts-header-before", "POST", "https://example.amazonaws.com/", "service", nil, "",
			"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==",
			"host;x-amz-date;x-amz-security-token", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequestWithContext(t.Context(), tt.method, tt.url, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			maps.Copy(r.Header, tt.header)
			r.ContentLength = -1 // AWS's examples do not sign the length
			if err := secrets.Sign(r, []byte(tt.body), exampleID, exampleKey, tt.token, tt.service, exampleTime); err != nil {
				t.Fatal(err)
			}
			want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/" + tt.service + "/aws4_request, " +
				"SignedHeaders=" + tt.signed + ", Signature=" + tt.signature
			if got := r.Header.Get("Authorization"); got != want {
				t.Errorf("Authorization\n got %s\nwant %s", got, want)
			}
			if got := r.Header.Get("X-Amz-Date"); got != "20150830T123600Z" {
				t.Errorf("X-Amz-Date = %s, want the time in UTC", got)
			}
		})
	}
}
