package doctor

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/voiceassist/gateway/shared/nextcloud"
)

// tokenName is under which the administrator would find the app password that
// an examination could not take back.
const tokenName = "VoiceAssist doctor"

// admin tries the administrator's credentials, once.
func (x *examination) admin(ctx context.Context) []Finding {
	name := x.Settings.Admin
	who, err := x.cloud.Authenticate(ctx, name, x.password())
	switch {
	case errors.Is(err, nextcloud.ErrUnauthorized):
		return failed("Correct NEXTCLOUD_ADMIN_USER and NEXTCLOUD_ADMIN_PASSWORD before you try again: each refusal slows "+
			"Nextcloud down for this machine. Two-factor login refuses the real password; a disabled account reads the same. "+
			"A gateway that was refused, too, asks again within 5 minutes, and at once after a restart with other settings: "+
			"gateway nextcloud reconcile tells until when it waits.",
			"Nextcloud refuses the user %q with that password", name)
	case err != nil:
		t := diagnose(err)
		return failed(t.cure, "logging in as %q %s", name, t.text)
	}
	x.groups = who.Groups
	switch {
	case who.ID != name && strings.EqualFold(who.ID, name):
		return []Finding{warning("Set NEXTCLOUD_ADMIN_USER="+who.ID, "the account's id is %q, in other letter case than configured", who.ID)}
	case who.ID != name:
		return []Finding{warning("Set NEXTCLOUD_ADMIN_USER="+who.ID, "%q logs in to the account with the id %q", name, who.ID)}
	}
	return fine("the credentials of %q are accepted", name)
}

// rights asks for something that is not for everybody. Those who administer
// only a group get it, too, so the groups count as well.
func (x *examination) rights(ctx context.Context) []Finding {
	_, err := x.cloud.Users(ctx, "", 1, 0)
	switch {
	case errors.Is(err, nextcloud.ErrForbidden):
		return failed("On the server: occ group:adduser admin "+x.Settings.Admin, "%q is no administrator", x.Settings.Admin)
	case err != nil:
		t := diagnose(err)
		return failed(t.cure, "listing users %s", t.text)
	case !slices.Contains(x.groups, "admin"):
		return []Finding{warning("On the server: occ group:adduser admin "+x.Settings.Admin,
			"%q may list users, and is not in the group admin: the administrator of a group cannot do all that is needed", x.Settings.Admin)}
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
	case errors.Is(err, nextcloud.ErrForbidden):
		return []Finding{warning(realCure, "the password of %q is an app password", name)}
	case errors.Is(err, nextcloud.ErrUncertain):
		return []Finding{leftToken(name)}
	case err != nil:
		t := diagnose(err)
		return failed(t.cure, "asking for an app password %s", t.text)
	}
	if x.cloud.RevokeAppPassword(ctx, name, made) != nil {
		return []Finding{leftToken(name)}
	}
	return fine("the password of %q is the real one", name)
}

func leftToken(name string) Finding {
	return warning("Remove it: log in as that user, Personal settings, Security, Devices & sessions.",
		"an app password %q may be left in the account %q", tokenName, name)
}
