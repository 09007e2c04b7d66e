package provision

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/voiceassist/gateway/shared/account"
	"github.com/voiceassist/gateway/shared/nextcloud"
	"github.com/voiceassist/gateway/shared/wish"
)

// Where wish and fact of an account that shall be there can differ: what a try
// adjusts is what a sweep finds.

func emailDiffers(n wish.Account, u nextcloud.User) bool {
	if strings.EqualFold(u.Email, string(n.Email)) {
		return false
	}
	there, err := account.ParseEmail(u.Email)
	ours, wrong := account.ParseEmail(string(n.Email)) // the wish may be older than canonical forms
	return err != nil || wrong != nil || there != ours
}

func nameDiffers(n wish.Account, u nextcloud.User) bool {
	name := displayName(n)
	return name != "" && name != u.DisplayName
}

func groupDiffers(group string, u nextcloud.User) bool {
	return group != "" && !slices.Contains(u.Groups, group)
}

// maxDisplayName is what Nextcloud takes, in characters.
const maxDisplayName = 64

// displayName returns the name for Nextcloud, "" to leave it as it is.
func displayName(n wish.Account) string {
	if utf8.RuneCountInString(n.FullName) <= maxDisplayName {
		return n.FullName
	}
	return strings.TrimSpace(string([]rune(n.FullName)[:maxDisplayName]))
}
