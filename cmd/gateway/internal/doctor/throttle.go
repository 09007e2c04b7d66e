package doctor

import (
	"context"
	"strconv"
	"time"
)

// nearLockout is the delay after seven failed logins within the last hours. Eleven
// within half an hour lock out the gateway with all its users, and other calls may
// be in flight, so the doctor tries no credentials from this delay on.
const nearLockout = 12800 * time.Millisecond

// throttle checks, without credentials, whether the server delays our requests.
func (x *examination) throttle(ctx context.Context) []Finding {
	t, err := x.cloud.Throttle(ctx)
	switch {
	case err != nil:
		// The delay is unknown, so another wrong password could lock us out.
		trouble := diagnose(err)
		return failed(trouble.fix, "requesting the delay after failed logins %s", trouble.text)
	case t.Delay >= nearLockout:
		return failed(x.resetFix()+" But first find out whose logins fail. Then exempt this machine: "+x.exemptFix(),
			"Nextcloud delays every request from this machine by %s after failed logins, and is about to lock it out", seconds(t.Delay))
	case t.Delay > 0:
		return []Finding{warning(x.resetFix()+" To exempt this machine: "+x.exemptFix(),
			"Nextcloud delays every request from this machine by %s after failed logins", seconds(t.Delay))}
	case t.AllowList:
		return passed("this machine is exempt from the delay after failed logins")
	}
	return []Finding{{
		Level: OK, Text: "no delay after failed logins",
		Fix: "This machine is not exempt: one user's wrong passwords delay all users. To exempt it: " + x.exemptFix(),
	}}
}

// clientAddress returns the address of this machine as Nextcloud probably sees it.
func (x *examination) clientAddress() (address, prefix string) {
	if !x.localAddr.IsValid() {
		return "ADDRESS", "ADDRESS/32"
	}
	return x.localAddr.WithZone("").String(), x.localAddr.WithZone("").String() + "/" + strconv.Itoa(x.localAddr.BitLen())
}

const clientAddressNote = " (if Nextcloud sees this machine under that address)"

func (x *examination) exemptFix() string {
	_, prefix := x.clientAddress()
	return "occ config:app:set bruteForce whitelist_1 --value " + prefix + clientAddressNote + "."
}

func (x *examination) resetFix() string {
	address, _ := x.clientAddress()
	return "On the server: occ security:bruteforce:reset " + address + "."
}
