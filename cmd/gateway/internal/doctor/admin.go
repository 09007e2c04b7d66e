package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// appPasswordName is the name under which the administrator finds an app
// password that an examination could not revoke.
const appPasswordName = "VoiceAssist doctor"

// admin tries the administrator's credentials, once.
func (x *examination) admin(ctx context.Context) []Finding {
	name := x.Settings.Admin
	who, err := x.cloud.Authenticate(ctx, name, x.password())
	switch {
	case errors.Is(err, ocs.ErrUnauthorized):
		return failed("Correct NEXTCLOUD_ADMIN_USER and NEXTCLOUD_ADMIN_PASSWORD before you try again: after each failed login, Nextcloud "+
			"delays this machine longer. An account with two-factor login or a disabled account causes the same error. "+
			"A running gateway retries within 5 minutes, or at once after a restart with other settings; "+
			"gateway nextcloud reconcile shows how long it waits.",
			"Nextcloud rejected the user %q with this password", name)
	case err != nil:
		t := diagnose(err)
		return failed(t.fix, "logging in as %q %s", name, t.text)
	}
	x.groups = who.Groups
	switch {
	case who.ID != name && strings.EqualFold(who.ID, name):
		return []Finding{warning("Set NEXTCLOUD_ADMIN_USER="+who.ID, "the account's id is %q, which differs in upper and lower case from the setting", who.ID)}
	case who.ID != name:
		return []Finding{warning("Set NEXTCLOUD_ADMIN_USER="+who.ID, "%q is not the id of the account, which is %q", name, who.ID)}
	}
	return passed("the credentials of %q are correct", name)
}

// rights checks that the account is an administrator. Group administrators may
// list users, too, so it also checks the account's groups.
func (x *examination) rights(ctx context.Context) []Finding {
	_, err := x.cloud.Users(ctx, "", 1, 0)
	switch {
	case errors.Is(err, ocs.ErrForbidden):
		return failed("On the server: occ group:adduser admin "+x.Settings.Admin, "%q is not an administrator", x.Settings.Admin)
	case err != nil:
		t := diagnose(err)
		return failed(t.fix, "listing users %s", t.text)
	case !slices.Contains(x.groups, "admin"):
		return []Finding{warning("On the server: occ group:adduser admin "+x.Settings.Admin,
			"%q can list users but is not in the group admin; a group administrator lacks some of the required permissions", x.Settings.Admin)}
	}
	return passed("%q is in the group admin", x.Settings.Admin)
}

// realPassword checks that the password is not an app password: Nextcloud creates
// an app password only for a login with the real one. The created app password is
// revoked at once, even after an interrupt.
func (x *examination) realPassword(ctx context.Context) []Finding {
	ctx = context.WithoutCancel(ctx)
	name := x.Settings.Admin
	made, err := x.cloud.NamedAppPassword(ctx, name, x.password(), appPasswordName)
	switch {
	case errors.Is(err, ocs.ErrForbidden):
		return []Finding{warning(realPasswordFix, "the password of %q is an app password", name)}
	case errors.Is(err, ocs.ErrUncertain):
		return []Finding{leftoverAppPassword(name)}
	case err != nil:
		t := diagnose(err)
		return failed(t.fix, "requesting an app password %s", t.text)
	}
	if x.cloud.RevokeAppPassword(ctx, name, made) != nil {
		return []Finding{leftoverAppPassword(name)}
	}
	return passed("the password of %q is not an app password", name)
}

func leftoverAppPassword(name string) Finding {
	return warning("Log in as that user and remove it under Personal settings, Security, Devices & sessions.",
		"the account %q may still have an app password %q", name, appPasswordName)
}
