package doctor

import (
	"context"
	"net/netip"
	"regexp"
	"strings"
)

// address checks NEXTCLOUD_URL without a connection.
func (x *examination) address(context.Context) []Finding {
	u := x.Settings.URL
	if u == nil {
		return failed("Set NEXTCLOUD_URL to the address of Nextcloud, including its folder: "+
			"https://cloud.example.org/nextcloud", "NEXTCLOUD_URL is not set")
	}
	var found []Finding
	if u.Scheme == "http" && !isPrivate(u.Hostname()) {
		found = append(found, warning("Use https in NEXTCLOUD_URL. If the certificate is from your own authority, set NEXTCLOUD_CA_FILE.",
			"NEXTCLOUD_URL is plain http: passwords and files are sent unencrypted to %s", u.Hostname()))
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		found = append(found, warning("Remove it, and set NEXTCLOUD_ADMIN_USER and NEXTCLOUD_ADMIN_PASSWORD instead.",
			"NEXTCLOUD_URL contains credentials, a query or a fragment, which are ignored"))
	}
	if len(found) == 0 {
		return passed("NEXTCLOUD_URL is %s", displayURL(u))
	}
	return found
}

// isPrivate reports whether plain HTTP to the host stays in private networks: the
// host is this machine, a private address, a name without a dot such as that of a
// container, or a name in a domain that is reserved for private use.
func isPrivate(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".internal")
}

// credentials checks the form of user and password.
func (x *examination) credentials(context.Context) []Finding {
	var found []Finding
	if x.Settings.Admin == "" {
		found = failed("Set NEXTCLOUD_ADMIN_USER to the id of an account in the group admin.", "NEXTCLOUD_ADMIN_USER is not set")
	}
	if strings.Contains(x.Settings.Admin, ":") {
		found = failed("Use an account whose id has no colon.", "NEXTCLOUD_ADMIN_USER has a colon, which HTTP basic authentication does not allow")
	}
	switch {
	case x.password() == "":
		found = append(found, failed("Set NEXTCLOUD_ADMIN_PASSWORD to the password of that account.",
			"NEXTCLOUD_ADMIN_PASSWORD is not set")...)
	case isAppPassword(x.password().Reveal()):
		found = append(found, warning(realPasswordFix, "NEXTCLOUD_ADMIN_PASSWORD looks like an app password"))
	}
	if len(found) == 0 {
		return passed("user and password are set")
	}
	return found
}

const realPasswordFix = "Set NEXTCLOUD_ADMIN_PASSWORD to the account's real password: current versions of Nextcloud " +
	"do not let app passwords create accounts. Use a separate account in the group admin, without two-factor login."

// isAppPassword reports whether a password has the form of Nextcloud's app
// passwords: five groups of five characters for people, 72 characters for programs.
func isAppPassword(s string) bool { return appPasswordForm().MatchString(s) }

func appPasswordForm() *regexp.Regexp {
	return regexp.MustCompile(`^(?:[A-Za-z0-9]{5}(?:-[A-Za-z0-9]{5}){4}|[A-Za-z0-9]{72})$`)
}
