package secrets

import (
	"net/http"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

// Sign signs a request with the credentials, for the region us-east-1.
func Sign(r *http.Request, body []byte, id string, key, token secret.String, service string, now time.Time) error {
	return sign(r, body, credentials{id, key, token}, "us-east-1", service, now)
}

// Hosts returns the hosts that serve the secrets of s.
func Hosts(s *Source) []string {
	var hosts []string
	for _, ref := range s.refs {
		hosts = append(hosts, ref.host())
	}
	return hosts
}

// Of returns Values with one setting.
func Of(name, value string) *Values {
	return &Values{settings: map[string]secret.String{name: secret.String(value)}}
}
