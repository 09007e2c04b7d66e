package nextcloudtest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// A step changes the server, and then replays exchanges in the given order.
type step struct {
	do    func(*replay)
	names string
}

// scenarios returns the recorded exchanges in their original order, with the unrecorded
// actions between them.
func scenarios() map[string][]step {
	return map[string][]step{
		"protocol v1":          protocol("v1"),
		"protocol v2":          append(protocol("v2"), step{names: "ocs-v2-empty-password ocs-v2-bearer-garbage"}),
		"status":               {{names: "status-php"}},
		"brute force":          bruteForce(),
		"create, list, get":    users(),
		"edit":                 edits(),
		"enable, delete":       switches(),
		"not an administrator": nonAdmin(),
		"app passwords":        appPasswords(),
		"lifetime of a token":  tokenLife(),
		"disabled user":        disabledUser(),
		"maintenance":          maintenance(),
		"quota after a login":  quotas(),
		"the root folder":      files(),
		"groups":               groups(),
	}
}

func protocol(v string) []step {
	p := " ocs-" + v + "-"
	return []step{
		{names: p + "capabilities-xml" + p + "capabilities-json" + p + "capabilities-noformat" +
			p + "capabilities-accept-json" + p + "capabilities-no-ocsheader" + p + "capabilities-anon" +
			p + "users-post-no-ocsheader-noformat" + p + "users-post-no-ocsheader" + p + "users-get-no-ocsheader" +
			p + "wrong-method" + p + "noauth" + p + "noauth-xml" + p + "unknown-route" +
			p + "wrong-admin-password-1" + p + "wrong-admin-password-2" + p + "wrong-admin-password-xml" +
			p + "nonexistent-user-auth"},
	}
}

// address is the client address of every request of the replay.
const address = "192.0.2.1"

func bruteForce() []step {
	failedLogins := func(n int) func(*replay) {
		return func(r *replay) { r.server.AddFailedLogins(address, "victim", n) }
	}
	allowList := func(on bool) func(*replay) { return func(r *replay) { r.server.SetAllowListed(on) } }
	return []step{
		{names: `bf-ocs-fail-1 bf-ocs-fail-2 bf-ocs-fail-3 bf-ocs-fail-4 bf-ocs-correct-after-4-fails
			bf-ocs-correct-after-4-fails-2 bf-capabilities-shows-delay`},
		{allowList(true), "bf-allowlisted-capabilities bf-allowlisted-correct-creds bf-allowlisted-wrong-creds"},
		{allowList(false), "bf-dav-fail-1 bf-dav-fail-2 bf-dav-fail-3 bf-dav-correct-after-3-fails"},
		{failedLogins(4), "bf-cross-user-correct-admin-1 bf-cross-user-correct-admin-2"},
		{failedLogins(7), `bf-max-dav-get-correct-creds bf-max-capabilities-anon bf-max-ocs-v1-correct-creds
			bf-max-ocs-v2-correct-creds bf-max-statusphp bf-max-ocs-v2-correct-creds-xml
			bf-max-dav-correct-creds bf-max-capabilities-auth`},
		{forgive, "bf-after-occ-reset"},
		{all(failedLogins(11), advance(31*time.Minute)), "bf-11-attempts-31min-old"},
	}
}

func users() []step {
	remove := func(r *replay) { r.server.RemoveUser("u_v1"); r.server.RemoveUser("u_v2") }
	return []step{
		{fail(nextcloudtest.CrashAfter()), "user-create-500-but-created-v1 user-create-500-but-created-v2"},
		// The real server created both; they were deleted before the next exchange.
		{all(fail(nil), remove), `user-create-ok-v1 user-create-ok-v2 user-create-ok-xml user-create-json-body
			user-create-pw-short-v1 user-create-duplicate-v1 user-create-pw-common-v1
			user-create-no-password-no-email-v1 user-create-missing-userid-v1
			user-create-empty-password-with-email-v1 user-create-empty-userid-v1 user-create-invalid-quota-v1
			user-create-unknown-group-v1 user-create-slash-v1 user-create-invalid-email-v1
			user-create-duplicate-v2 user-create-missing-userid-v2 user-create-pw-common-v2
			user-create-no-password-no-email-v2 user-create-empty-userid-v2 user-create-pw-short-v2
			user-create-unknown-group-v2 user-create-empty-password-with-email-v2 user-create-slash-v2
			user-create-invalid-quota-v2 user-create-invalid-email-v2 user-create-weird-email-field
			user-create-email-as-userid user-create-leading-space user-create-plus-email-as-userid
			user-create-space-inside user-create-trailing-space user-create-64 user-create-65
			user-create-unicode user-create-300 user-create-allowed-specials user-create-id-percent
			user-create-id-hash user-create-id-colon user-create-id-backslash user-create-id-dotfile
			user-create-id-question user-create-id-dotdot user-create-id-dot user-create-id-avatar
			user-create-id-newline user-create-id-files_external user-create-id-htaccess user-create-id-zero
			user-create-id-appdata user-create-id-numeric user-create-id-uuid user-create-id-leadingdash
			user-create-id-lock user-create-id-owncloudlog user-create-mixedcase
			user-create-mixedcase-dup-upper user-create-mixedcase-dup-lower
			user-create-full user-create-quota-default user-create-quota-zero user-create-quota-none
			user-create-quota-bytes user-create-quota-negative user-create-quota-5GiB user-create-quota-5GB
			user-create-quota-frac user-create-long-password user-create-toolong-password
			user-create-longdisplay`},
		{names: `user-get-nonexistent-v1 user-list-v1 user-get-ok-v2 user-get-ok-v1 user-get-nonexistent-v2
			user-list-v2 user-get-email-id user-get-xml user-get-space-id-pct20 user-get-email-id-raw-at
			user-get-space-id-plus user-get-case-lower user-get-case-upper user-get-slash-encoded
			user-search-email user-search user-get-by-email-notid user-search-limit-offset
			user-search-details user-list-limit0 user-search-none user-list-details-limit
			user-get-quota-qnone user-get-quota-qdef user-get-quota-qbytes user-get-quota-qzero
			user-get-quota-q5gb user-get-quota-q5gib user-get-quota-qfrac user-get-quota-qneg
			user-get-quota-full user-get-quota-v2 user-get-after-invalid-email user-get-dupmail`},
		{names: "user-delete-id-zero"},
	}
}

func edits() []step {
	defaultQuota := func(r *replay) { r.server.SetDefaultQuota("2 GB") }
	return []step{
		{all(addUser("p1"), addUser("u_v2"), addUser("u_full", "u_full@example.com"), edit(50)),
			"user-put-rate-limited-429-v2 user-put-rate-limited-429-v1 user-get-while-put-rate-limited"},
		{advance(10 * time.Minute), `user-put-email-v1 user-put-email-same-v1 user-put-email-invalid-v1
			user-put-displayName-camel-v1 user-put-displayname-v1 user-put-display-name-alias-v1
			user-put-quota-v1 user-put-displayname-empty-v1 user-put-displayname-toolong-v1
			user-put-quota-invalid-v1 user-put-password-v1 user-put-quota-empty-v1
			user-put-password-short-v1 user-put-key-missing-value-v1 user-put-password-empty-v1
			user-put-invalid-key-v1 user-put-nonexistent-user-v1 user-put-nobody-v1
			user-put-email-v2 user-put-email-same-v2 user-put-display-name-alias-v2 user-put-displayname-v2
			user-put-displayName-camel-v2 user-put-email-invalid-v2 user-put-quota-v2
			user-put-displayname-toolong-v2 user-put-displayname-empty-v2 user-put-quota-invalid-v2
			user-put-quota-empty-v2 user-put-password-v2 user-put-password-short-v2 user-put-invalid-key-v2
			user-put-password-empty-v2 user-put-nobody-v2 user-put-key-missing-value-v2
			user-put-nonexistent-user-v2 user-put-email-clear user-put-email-dup`},
		{forgive, `user-put-quota-val-default user-put-quota-val-none user-put-quota-val-0
			user-put-quota-val--1 user-put-quota-val--2 user-put-quota-val--3 user-put-quota-val-5000000
			user-put-quota-val-5242880 user-put-quota-val-1234567890 user-put-quota-val-5_20GB
			user-put-quota-val-10737418240 user-put-quota-val-5GB user-put-quota-val-5G
			user-put-quota-val-5_20gb user-put-quota-val-5GiB user-put-quota-val-5_20GiB
			user-put-quota-val-1_2C5_20GB user-put-quota-val-1.5_20GB user-put-quota-val-1_20TB
			user-put-quota-val-1e9 user-put-quota-val-999999999999999 user-put-quota-val-7_20MB
			user-put-quota-val-99999999999999999999 user-put-json-int-value user-put-json-body
			user-put-caseinsensitive-id`},
		{defaultQuota, "user-put-quota-default-with-default-2GB user-get-quota-default-with-default-2GB"},
	}
}

func switches() []step {
	return []step{
		{all(addUser("p2"), addUser("p3"), addUser("p4"), addUser("DelMe")),
			`user-disable-v1 user-disable-again-v1 user-get-disabled-v1 user-disable-nonexistent-v1
			user-enable-v1 user-enable-again-v1 user-delete-ok-v1 user-delete-nonexistent-v1
			user-enable-nonexistent-v1 user-delete-again-v1 user-delete-self-v1 user-disable-self-v1
			user-disable-v2 user-disable-again-v2 user-get-disabled-v2 user-enable-v2 user-enable-again-v2
			user-enable-nonexistent-v2 user-disable-nonexistent-v2 user-delete-ok-v2 user-delete-again-v2
			user-delete-nonexistent-v2 user-delete-self-v2 user-delete-lowercase-of-mixed
			user-disable-self-v2 user-get-after-delete-mixed`},
	}
}

func nonAdmin() []step {
	return []step{
		{all(addUser("u_v2"), addUser("u_full")),
			`nonadmin-create-user-v1 nonadmin-get-other-v1 nonadmin-get-nonexistent-v1 nonadmin-get-self-v1
			nonadmin-get-cloud-user-v1 nonadmin-list-users-v1 nonadmin-delete-other-v1
			nonadmin-put-own-email-v1 nonadmin-disable-other-v1 nonadmin-create-user-v2
			nonadmin-put-own-quota-v1 nonadmin-get-self-v2 nonadmin-get-nonexistent-v2
			nonadmin-get-other-v2 nonadmin-get-cloud-user-v2 nonadmin-list-users-v2
			nonadmin-delete-other-v2 nonadmin-put-own-email-v2 nonadmin-disable-other-v2
			nonadmin-put-own-quota-v2`},
	}
}

func appPasswords() []step {
	hour := advance(61 * time.Minute)
	mail := func(r *replay) { r.server.Set("ap1", "email", "ap1@example.com") }
	return []step{
		{all(addUser("ap1"), addUser("ap2")), `apppw-get-ok-v2 apppw-get-ok-v1 apppw-get-wrong-password
			apppw-get-with-apppw-v2 apppw-get-with-apppw-v1 apppw-get-custom-ua apppw-dav-ok apppw-wrong-user
			apppw-uppercase-user apppw-ocs-self pw-uppercase-user`},
		{mail, `apppw-login-by-email pw-login-by-email apppw-get-todelete apppw-delete-with-password
			apppw-delete-ok-v2 apppw-delete-again-v2 apppw-dav-after-delete apppw-get-todelete1
			apppw-delete-ok-v1 apppw-get-torotate apppw-admin-changes-password
			apppw-oldpw-after-admin-pwchange apppw-dav-after-admin-pwchange-1
			apppw-dav-after-admin-pwchange-2 apppw-newpw-after-admin-pwchange
			apppw-dav-after-admin-pwchange-and-newlogin`},
		{hour, `apppw-dav-after-admin-pwchange-check-interval-passed apppw-dav-after-recheck-again
			apppw-get-after-pwchange apppw-dav-new-after-pwchange`},
		{forgive, `apppw-ap2 apppw-ap2-dav-before apppw-user-changes-own-password
			apppw-ap2-dav-after-own-pwchange`},
		{hour, `apppw-ap2-dav-after-own-pwchange-recheck apppw-ap2-dav-after-own-pwchange-recheck2
			apppw-user-changes-own-password-with-apppw apppw-ap2-dav-after-pwchange-via-apppw`},
		{forgive, `apppw-admin apppw-admin-creates-user apppw-admin-edits-user apppw-admin-deletes-user
			apppw-admin-delete`},
	}
}

func tokenLife() []step {
	interval := advance(6 * time.Minute)
	keep := func(r *replay) { r.server.SetKeepTokens(true) }
	disable := func(on bool) func(*replay) { return func(r *replay) { r.server.SetEnabled("aq3", on) } }
	return []step{
		{addUser("aq1"), "apppw-aq1"},
		{setPassword("aq1", "Second-Strong-5678"), "apppw-life-adminchange-within-5min"},
		{interval, `apppw-life-adminchange-after-check-interval apppw-life-adminchange-newpw-login
			apppw-life-adminchange-revived`},
		{addUser("aq2"), "apppw-aq2"},
		{all(setPassword("aq2", "Second-Strong-5678"), interval), `apppw-life-ownchange-after-check-interval
			apppw-life-ownchange-newpw-login apppw-life-ownchange-revived`},
		{all(setPassword("aq2", "Third-Strong-9012"), interval), "apppw-life-change-via-apppw-after-check"},
		{all(setPassword("aq1", "Third-Strong-9012"), interval), `apppw-life-adminchange2-invalid apppw-aq1-new
			apppw-life-old-token-after-new-getapppassword`},
		{all(addUser("aq3"), addUser("aq4")), "apppw-aq4"},
		{keep, "apppw-aq3"},
		{all(setPassword("aq3", "Second-Strong-5678"), interval), `apppw-nostore-adminchange-after-check-interval
			apppw-nostore-adminchange-after-check-interval-2`},
		{interval, "apppw-nostore-adminchange-after-check-interval-3"},
		{disable(false), "apppw-nostore-disabled"},
		{disable(true), "apppw-nostore-reenabled"},
		{all(setPassword("aq4", "Second-Strong-5678"), interval), "apppw-nostore-oldtoken-adminchange"},
	}
}

func disabledUser() []step {
	enable := func(on bool) func(*replay) { return func(r *replay) { r.server.SetEnabled("ap3", on) } }
	remove := func(r *replay) { r.server.RemoveUser("ap3") }
	return []step{
		{addUser("ap3"), "apppw-ap3 apppw-ap3-dav-before-disable"},
		{enable(false), `disabled-user-dav-apppw disabled-user-dav-password disabled-user-ocs-apppw-v2
			disabled-user-getapppassword disabled-user-ocs-v2 disabled-user-ocs-v1`},
		{enable(true), "reenabled-user-dav-password reenabled-user-dav-apppw"},
		{remove, "deleted-user-dav-apppw deleted-user-dav-password"},
		{addUser("ap3"), "recreated-user-dav-old-apppw"},
	}
}

func maintenance() []step {
	on := func(r *replay) { r.server.SetMaintenance(true) }
	return []step{
		{on, `maint-status-php maint-ocs-v2-wrongpw maint-ocs-v2-capabilities-anon maint-ocs-v2-get-user-xml
			maint-ocs-v1-get-user-xml maint-dav-wrongpw maint-ocs-v1-create maint-dav-delete maint-dav-get
			maint-dav-head maint-ocs-v2-get-user maint-dav-mkcol maint-ocs-v2-create maint-dav-propfind
			maint-ocs-v1-capabilities-anon maint-ocs-v1-get-user maint-ocs-v1-wrongpw maint-dav-put`},
	}
}

func quotas() []step {
	has := func(user, quota string, used int64) func(*replay) {
		return func(r *replay) { r.server.SetUsed(user, used); r.server.Set(user, "quota", quota) }
	}
	return []step{
		{all(addUser("dq"), login("dq"), has("dq", "5 MB", 4194469)), "user-get-quota-limited-after-login"},
		{has("dq", "1 MB", 4194469), "user-get-quota-overquota"},
		{has("dq", "0 B", 4194469), "user-get-quota-zero-after-login"},
		{all(addUser("dav1"), login("dav1"), has("dav1", "none", 227)), "user-get-quota-none-after-login"},
	}
}

func files() []step {
	return []step{
		{names: "dav-noauth dav-bearer-garbage dav-empty-password"},
		{all(addUser("dav1"), addUser("dav2"), login("dav1")),
			`dav-propfind-root-depth0 dav-propfind-root-depth0-noprops dav-propfind-root-noslash
			dav-propfind-missing dav-otheruser-propfind-0 dav-otheruser-propfind-1 dav-nonexistent-user-folder
			dav-admin-on-user-folder`},
		{all(addUser("Mixed"), login("Mixed"), addUser("sp ace"), login("sp ace"),
			addUser("em@il.example"), login("em@il.example")),
			`dav-login-lowercase-path-exact dav-uid-lowercase-in-path dav-uid-exact-in-path
			dav-uid-email-raw dav-uid-email-encoded dav-uid-space-pct20 dav-uid-space-plus`},
	}
}

func groups() []step {
	both := func(names string) string {
		return strings.ReplaceAll(names, "*", "v1") + " " + strings.ReplaceAll(names, "*", "v2")
	}
	return []step{
		{all(addUser("p1"), addUser("u_full"), dropGroup("voice")), "group-create-ok-v2 group-create-empty group-list " +
			both("group-create-dup-* group-delete-nonexistent-* group-get-nonexistent-*")},
		{all(joinGroup("u_full", "voice")), both("group-get-users-* user-groups-get-*")},
		{nil, both("user-group-add-* user-group-add-again-* user-group-add-empty-* user-group-add-nogroup-* " +
			"user-group-add-nouser-* user-groups-get-after-*")},
		{nil, both("user-group-remove-* user-group-remove-again-* user-group-remove-nogroup-*")},
	}
}

// dropGroup deletes a group that the server starts with.
func dropGroup(name string) func(*replay) { return asAdmin("DELETE", "groups/"+name, "") }

func joinGroup(user, group string) func(*replay) {
	return asAdmin("POST", "users/"+user+"/groups", "groupid="+group)
}

// asAdmin makes a call that was not recorded.
func asAdmin(method, path, form string) func(*replay) {
	return func(r *replay) {
		req := httptest.NewRequestWithContext(r.t.Context(), method, "/ocs/v2.php/cloud/"+path, strings.NewReader(form))
		req.Header.Set("OCS-APIRequest", "true")
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("admin", "admin-Secret-123")
		rec := httptest.NewRecorder()
		if r.server.ServeHTTP(rec, req); rec.Code != http.StatusOK {
			r.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
		}
	}
}
