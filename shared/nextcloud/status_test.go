package nextcloud_test

import (
	"testing"

	"github.com/voiceassist/gateway/shared/nextcloud"
)

func TestParseStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		want       nextcloud.Status
		ok         bool
	}{
		{"usable", `{"installed":true,"maintenance":false,"needsDbUpgrade":false,"version":"29.0.4.1","versionstring":"29.0.4"}`,
			nextcloud.Status{Installed: true, Version: "29.0.4.1"}, true},
		{"maintenance", `{"installed":true,"maintenance":true}`, nextcloud.Status{Installed: true, Maintenance: true}, true},
		{"before the upgrade", `{"installed":true,"needsDbUpgrade":true}`, nextcloud.Status{Installed: true, NeedsUpgrade: true}, true},
		{"before the installation", `{"installed":false}`, nextcloud.Status{}, true},
		{"an untrusted host name", `{"error":"Trusted domain error.","code":15}`, nextcloud.Status{UntrustedHost: true}, false},
		{"another error", `{"error":"Internal server error","code":16}`, nextcloud.Status{}, false},
		{"another JSON", `{"status":"ok"}`, nextcloud.Status{}, false},
		{"a list", `[true]`, nextcloud.Status{}, false},
		{"a page", `<html>installed</html>`, nextcloud.Status{}, false},
		{"half a document", `{"installed":true,`, nextcloud.Status{}, false},
		{"nothing", ``, nextcloud.Status{}, false},
	} {
		if got, err := nextcloud.ParseStatus([]byte(tt.body)); got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: got %+v, %v; want %+v, a status: %t", tt.name, got, err, tt.want, tt.ok)
		}
	}
}
