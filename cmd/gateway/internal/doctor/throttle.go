package doctor

import (
	"context"
	"strconv"
	"time"
)

// nearLock is the delay of seven failed logins within the last hours. Eleven
// within half an hour lock the gateway out, all its users with it, and other
// calls may be under way: from here on no credentials are tried.
const nearLock = 12800 * time.Millisecond

// throttle asks, without credentials, whether the server slows us down.
func (x *examination) throttle(ctx context.Context) []Finding {
	t, err := x.cloud.Throttle(ctx)
	switch {
	case err != nil:
		// Without knowing, a wrong password could be the one too many.
		trouble := diagnose(err)
		return failed(trouble.cure, "requesting the delay after failed logins %s", trouble.text)
	case t.Delay >= nearLock:
		return failed(x.resetCure()+" But first find out whose logins fail. Then exempt this machine: "+x.allowCure(),
			"Nextcloud delays every request from this machine by %s after failed logins, and is about to lock it out", seconds(t.Delay))
	case t.Delay > 0:
		return []Finding{warning(x.resetCure()+" To exempt this machine: "+x.allowCure(),
			"Nextcloud delays every request from this machine by %s after failed logins", seconds(t.Delay))}
	case t.AllowList:
		return fine("this machine is exempt from the delay after failed logins")
	}
	return []Finding{{
		Level: OK, Text: "no delay after failed logins",
		Cure: "This machine is not exempt: one user's wrong passwords delay all users. To exempt it: " + x.allowCure(),
	}}
}

// seenAs returns our address as Nextcloud probably sees it.
func (x *examination) seenAs() (address, prefix string) {
	if !x.self.IsValid() {
		return "ADDRESS", "ADDRESS/32"
	}
	return x.self.WithZone("").String(), x.self.WithZone("").String() + "/" + strconv.Itoa(x.self.BitLen())
}

const seenNote = " (if Nextcloud sees this machine under that address)"

func (x *examination) allowCure() string {
	_, prefix := x.seenAs()
	return "occ config:app:set bruteForce whitelist_1 --value " + prefix + seenNote + "."
}

func (x *examination) resetCure() string {
	address, _ := x.seenAs()
	return "On the server: occ security:bruteforce:reset " + address + "."
}
