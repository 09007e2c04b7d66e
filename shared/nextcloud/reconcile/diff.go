package reconcile

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/nextcloud/desired"
	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// Where wish and fact of an account that shall be there can differ: what a try
// adjusts is what a sweep finds. What a linked account keeps does not differ.

func emailDiffers(n desired.Account, u ocs.User) bool {
	return !n.KeepsEmail && !sameEmail(string(n.Email), u.Email)
}

// sameEmail reports whether both are one address: case, and how a domain is
// written, make no difference.
func sameEmail(a, b string) bool {
	if strings.EqualFold(a, b) {
		return true
	}
	x, err := account.ParseEmail(a) // what is kept may be older than canonical forms
	y, wrong := account.ParseEmail(b)
	return err == nil && wrong == nil && x == y
}

func nameDiffers(n desired.Account, u ocs.User) bool {
	name := displayName(n)
	return !n.KeepsName && name != "" && name != u.DisplayName
}

func groupDiffers(group string, u ocs.User) bool {
	return group != "" && !slices.Contains(u.Groups, group)
}

// maxDisplayName is what Nextcloud takes, in characters.
const maxDisplayName = 64

// displayName returns the name for Nextcloud, "" to leave it as it is.
func displayName(n desired.Account) string {
	if utf8.RuneCountInString(n.FullName) <= maxDisplayName {
		return n.FullName
	}
	return strings.TrimSpace(string([]rune(n.FullName)[:maxDisplayName]))
}
