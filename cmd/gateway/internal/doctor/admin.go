package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/nextcloud/ocs"
)

// tokenName is under which the administrator would find the app password that
// an examination could not take back.
const tokenName = "VoiceAssist doctor"

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
		return failed(t.cure, "logging in as %q %s", name, t.text)
	}
	x.groups = who.Groups
	switch {
	case who.ID != name && strings.EqualFold(who.ID, name):
		return []Finding{warning("Set NEXTCLOUD_ADMIN_USER="+who.ID, "the account's id is %q, which differs in upper and lower case from the setting", who.ID)}
	case who.ID != name:
		return []Finding{warning("Set NEXTCLOUD_ADMIN_USER="+who.ID, "%q is not the id of the account, which is %q", name, who.ID)}
	}
	return fine("the credentials of %q are correct", name)
}

// rights asks for something that is not for everybody. Those who administer
// only a group get it, too, so the groups count as well.
func (x *examination) rights(ctx context.Context) []Finding {
	_, err := x.cloud.Users(ctx, "", 1, 0)
	switch {
	case errors.Is(err, ocs.ErrForbidden):
		return failed("On the server: occ group:adduser admin "+x.Settings.Admin, "%q is not an administrator", x.Settings.Admin)
	case err != nil:
		t := diagnose(err)
		return failed(t.cure, "listing users %s", t.text)
	case !slices.Contains(x.groups, "admin"):
		return []Finding{warning("On the server: occ group:adduser admin "+x.Settings.Admin,
			"%q can list users but is not in the group admin; a group administrator lacks some of the required permissions", x.Settings.Admin)}
	}
	return fine("%q is in the group admin", x.Settings.Admin)
}

// realness finds out whether the password is an app password: Nextcloud gives
// an app password only to who comes with the real one. The one that it gives is
// taken back at once, which an interrupt must not keep us from.
func (x *examination) realness(ctx context.Context) []Finding {
	ctx = context.WithoutCancel(ctx)
	name := x.Settings.Admin
	made, err := x.cloud.NamedAppPassword(ctx, name, x.password(), tokenName)
	switch {
	case errors.Is(err, ocs.ErrForbidden):
		return []Finding{warning(realCure, "the password of %q is an app password", name)}
	case errors.Is(err, ocs.ErrUncertain):
		return []Finding{leftToken(name)}
	case err != nil:
		t := diagnose(err)
		return failed(t.cure, "requesting an app password %s", t.text)
	}
	if x.cloud.RevokeAppPassword(ctx, name, made) != nil {
		return []Finding{leftToken(name)}
	}
	return fine("the password of %q is not an app password", name)
}

func leftToken(name string) Finding {
	return warning("Log in as that user and remove it under Personal settings, Security, Devices & sessions.",
		"the account %q may still have an app password %q", name, tokenName)
}
