package secrets

import "github.com/voiceassist/gateway/shared/foundation/secret"

// Hosts returns where the secrets of s are asked for.
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
