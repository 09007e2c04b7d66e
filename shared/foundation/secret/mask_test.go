package secret_test

import (
	"strings"
	"testing"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

func TestMaskURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://cloud.example.org/nc":                       "https://cloud.example.org/nc",
		"cloud.example.org:8443":                             "cloud.example.org:8443",
		"localhost:6379":                                     "localhost:6379",
		"postgres://ada:hunter2@host:5432/x?sslmode=require": "postgres://ada:xxxxx@host:5432/x?sslmode=require",
		"redis://:hunter2@host/0":                            "redis://:xxxxx@host/0",
		"redis://hunter2@host/0":                             "redis://xxxxx@host/0",
		"postgres://host/x?password=hunter2&sslmode=a":       "postgres://host/x?password=xxxxx&sslmode=a",
		"postgres://ada:pa/hunter2@host/x":                   "[secret]",
		"postgres://ada:12/hunter2@host/x":                   "[secret]",
		"postgres://ada:12?hunter2@host/x":                   "[secret]",
		"postgres://ada:12#hunter2@host/x":                   "[secret]",
		"postgres://ada:%zzhunter2@host/x":                   "[secret]",
		"ada:hunter2@host":                                   "[secret]",
		"host=db password=hunter2":                           "[secret]",
		"hunter2":                                            "[secret]",
		"hunter2:hunter2":                                    "[secret]",
	} {
		got := secret.MaskURL(in)
		if got != want || strings.Contains(got, "hunter2") {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
}
