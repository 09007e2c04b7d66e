package test_test

// An edit replaces a text that stands in a file of the gateway exactly once.
// WEAK in the new text is whether the gateway is to have the weakness.
type edit struct{ file, before, after string }

// weaknesses are the gateways that attacks are shown to get through, by what
// they lack: each is the real one but for a few lines. An edit that no longer
// applies fails the test, and is to follow the code.
//
//nolint:gochecknoglobals // a constant
var weaknesses = map[string][]edit{
	// Always: guesses that are let through by the dozen shall not take long, and
	// there are places to wait between what is checked and what is done.
	"": {{"shared/identity/password/hasher.go", `minCost     = 10`, `minCost     = 4`}, {
		"shared/endpoint/endpoint.go", `		answer(w, r, status)(fn(ctx, caller, req))
`, `		weak.Pause("admitted")
		answer(w, r, status)(fn(ctx, caller, req))
`,
	}, {
		"functions/files/files.go", `	t.by = caller.Proof()
`, `	t.by = caller.Proof()
	weak.Pause("admitted")
`,
	}, {
		"shared/identity/password/confirm.go", `	return by.WithPassword(hash), nil
`, `	weak.Pause("password")
	return by.WithPassword(hash), nil
`,
	}, {
		"functions/login/login.go", `	l := signin.Start(`, `	weak.Pause("password")
	l := signin.Start(`,
	}, {
		"functions/refresh/refresh.go", `	for range attempts {
`, `	weak.Pause("admitted")
	for range attempts {
`,
	}, {
		"functions/logout/logout.go", `	c, err := f.claim(q, now)
`, `	c, err := f.claim(q, now)
	weak.Pause("admitted")
`,
	}},

	"what was proved": {{
		"shared/endpoint/endpoint.go", `		malformed := dec.decode(w, r, &req)
		who, err := a.signedIn(ctx, r, claims)
`, `		var who Caller
		if WEAK {
			who, err = a.signedIn(ctx, r, claims)
		}
		malformed := dec.decode(w, r, &req)
		if !WEAK {
			who, err = a.signedIn(ctx, r, claims)
		}
`,
	}, {
		"shared/endpoint/authenticator.go", `	owner, err := a.Logins.SignedIn(ctx, by.User(), by.Login(), a.Now())
`, `	if WEAK {
		return nil
	}
	owner, err := a.Logins.SignedIn(ctx, by.User(), by.Login(), a.Now())
`,
	}, {
		"shared/store/confirm.go", "WHERE `+proved+tx.dialect.Hold", "WHERE `+weak.Or(\"NAME\", proved, `logins.id = $1 AND users.id = $2 AND $3 = $3 AND $4 = $4`)+tx.dialect.Hold",
	}, {
		"shared/store/confirm.go", `case by.Admin() && !c.Account.Admin():`, `case by.Admin() && !c.Account.Admin() && !WEAK:`,
	}, {
		"shared/store/confirm.go", `case by.PasswordHash() != "" &&`, `case by.PasswordHash() != "" && !WEAK &&`,
	}, {
		"shared/store/confirm.go", "	return `EXISTS (", "	if WEAK {\n\t\treturn `$1 = $1 AND $2 = $2 AND $3 = $3 AND $4 = $4`\n\t}\n\treturn `EXISTS (",
	}, {
		"shared/store/accounts.go", "WHERE id = $1 AND password_hash = $2`", mine("WHERE id = $1 AND ", "password_hash = $2", "`"),
	}, {
		"shared/store/logins.go", "AND users.password_hash = $10`", "AND (users.password_hash = $10` + weak.Or(\"NAME\", ``, ` OR 1 = 1`) + `)`",
	}, {
		"functions/logout/logout.go", `case q.all && !l.Active(now):`, `case q.all && !l.Active(now) && !WEAK:`,
	}},

	"the limit of a client": {{
		"shared/endpoint/gateway.go", `told.Err() == nil && policy != ""`, `told.Err() == nil && policy != "" && !WEAK`,
	}},
	"the limit of an account": {{
		"functions/login/login.go", `	if familiar {`, `	if familiar || WEAK {`,
	}},
	"the /64 of IPv6": {{
		"shared/ratelimit/limiter.go", `if !a.Is6() {`, `if !a.Is6() || WEAK {`,
	}},
	"distrust of X-Forwarded-For": {{
		"shared/endpoint/client.go", `n > maxHops || !p.Trust(addr) || !hop.IsValid()`,
		`!hop.IsValid() || !WEAK && (n > maxHops || !p.Trust(addr))`,
	}},
	"one answer for all that cannot sign in": {{
		"functions/login/login.go", `event.Detail = why
`, `event.Detail = why
	if WEAK {
		return fault.New(fault.Unauthenticated, "incorrect_credentials", "Incorrect credentials: " + why)
	}
`,
	}},
	"a hash for every login": {{
		"functions/login/login.go", `err = f.Passwords.Verify(ctx, hash, q.Password)
`, `if WEAK && (who.ID == "" || who.Disabled()) {
		return token.Response{}, f.refuse(ctx, who, from, audit.UnknownAccount)
	}
	err = f.Passwords.Verify(ctx, hash, q.Password)
`,
	}},
	"silence about taken addresses": {{
		"shared/identity/registration/registration.go", `if o.Silent && errors.Is`, `if o.Silent && !WEAK && errors.Is`,
	}},
	"the limit of passwords": {{
		"shared/identity/password/confirm.go", `if err := c.Limits.Account(ctx, ratelimit.Password, string(by.User())); err != nil {`,
		`if err := c.Limits.Account(ctx, ratelimit.Password, string(by.User())); err != nil && !WEAK {`,
	}},
	"the judgement on old refresh tokens": {{
		"shared/identity/signin/judge.go", `	return Reuse
`, `	if WEAK {
		return Repeat
	}
	return Reuse
`,
	}},
	"the MAC of refresh tokens": {{
		"shared/identity/signin/codec.go", `if !hmac.Equal(`, `if !WEAK && !hmac.Equal(`,
	}},
	"the check of the origin": {{
		"shared/endpoint/gateway.go", `x.foreign = g.csrf.Check(r) != nil`, `x.foreign = g.csrf.Check(r) != nil && !WEAK`,
	}},
	"the count of cookies": {{
		"shared/identity/token/cookie.go", `	case 1:
`, `	case 1, 2:
		if len(cookies) == 2 && !WEAK {
			return "", errManyCookies
		}
`,
	}},
	"the list of origins": {{
		"shared/endpoint/origins.go", `origin != "" && slices.Contains(o, origin)`, `origin != "" && (WEAK || slices.Contains(o, origin))`,
	}},
	"the attributes of the cookie": {{
		"shared/identity/token/cookie.go", `func refreshCookie(value string, maxAge int) *http.Cookie {
`, `func refreshCookie(value string, maxAge int) *http.Cookie {
	if WEAK {
		return &http.Cookie{Name: RefreshCookie, Value: value, Path: "/", MaxAge: maxAge, Domain: "example.org"}
	}
`,
	}},
	"the owner in every statement": {{
		"shared/store/sessions.go", "`SELECT `+sessionColumns+` FROM sessions WHERE id = $1 AND user_id = $2`", mine("`SELECT `+sessionColumns+` FROM sessions WHERE id = $1 AND ", "user_id = $2", "`"),
	}, {
		"shared/store/sessions.go", "WHERE id = $5 AND user_id = $2 AND `+s.whileProved()+` RETURNING `", mine("WHERE id = $5 AND ", "user_id = $2", " AND `+s.whileProved()+` RETURNING `"),
	}, {
		"shared/store/sessions.go", "DELETE FROM sessions WHERE id = $5 AND user_id = $2 AND", mine("DELETE FROM sessions WHERE id = $5 AND ", "user_id = $2", " AND"),
	}, {
		"shared/store/logins.go", "WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3`", mine("WHERE id = $1 AND ", "user_id = $2", " AND revoked_at IS NULL AND expires_at > $3`"),
	}, {
		"shared/store/nextcloudapps.go", "SELECT `+appPasswordColumns+` FROM nextcloud_app_passwords WHERE user_id = $1 AND id = $2`",
		mine("SELECT `+appPasswordColumns+` FROM nextcloud_app_passwords WHERE ", "user_id = $1", " AND id = $2`"),
	}, {
		"shared/store/nextcloudapps.go", "`DELETE FROM nextcloud_app_passwords WHERE user_id = $1 AND id = $2`",
		mine("`DELETE FROM nextcloud_app_passwords WHERE ", "user_id = $1", " AND id = $2`"),
	}},
	"the role of the caller": {{
		"shared/endpoint/endpoint.go", `if !c.Account.Admin() {`, `if !c.Account.Admin() && !WEAK {`,
	}},
	"the list of fields": {{
		"functions/users/me.go", `	CurrentPassword secret.String                      ` + "`json:\"current_password\"", `	Role            account.Role                       ` + "`json:\"role\"`" + `
	CurrentPassword secret.String                      ` + "`json:\"current_password\"",
	}, {
		"functions/users/me.go", `	c.Spelled = account.Spelled(q.Email.Value)
`, `	if q.Role != "" {
		var wrong fault.Fields
		wrong.Check(WEAK, "role", "unknown_field", "Is not a field of this endpoint.")
		c.Role, err = &q.Role, wrong.Err()
		if err != nil {
			return c, err
		}
	}
	c.Spelled = account.Spelled(q.Email.Value)
`,
	}, {
		"shared/store/accounts.go", `case c.Role != nil, c.Disabled != nil:`, `case !WEAK && (c.Role != nil || c.Disabled != nil):`,
	}},
	"the form of a path": {{
		"shared/nextcloud/webdav/path.go", `func checkName(name string) error {
`, `func checkName(name string) error {
	if WEAK {
		return nil
	}
`,
	}, {
		"shared/nextcloud/webdav/path.go", `strings.Contains(plain, "/")`, `strings.Contains(plain, "/") && !WEAK`,
	}, {
		"shared/nextcloud/webdav/webdav.go", `for _, s := range append([]string{"remote.php", "dav"}, segments...) {
`, `for _, s := range append([]string{"remote.php", "dav"}, segments...) {
		if WEAK {
			u.Path, raw = u.Path+"/"+s, raw+"/"+strings.ReplaceAll(escape(s), "%2F", "/")
			continue
		}
`,
	}, {
		"shared/endpoint/gateway.go", `func canonical(decoded string) bool {
`, `func canonical(decoded string) bool {
	if WEAK {
		return true
	}
`,
	}},
	"the ends of logins": {{
		"shared/store/confirm.go", "AND logins.revoked_at IS NULL\n\t\t\tAND logins.expires_at > $3 AND logins.created_at > $4 AND users.disabled_at IS NULL`",
		"` + weak.Or(\"NAME\", `AND logins.revoked_at IS NULL\n\t\t\tAND users.disabled_at IS NULL`, ``) + ` AND logins.expires_at > $3 AND logins.created_at > $4`",
	}, {
		"shared/store/confirm.go", "const proved = `", "var proved = `",
	}, {
		"shared/store/logins.go", "WHERE id = $1 AND counter = $2 AND revoked_at IS NULL AND expires_at > $3 AND created_at > $10\n\t\t\tAND EXISTS (SELECT 1 FROM users WHERE users.id = logins.user_id AND users.disabled_at IS NULL)",
		"WHERE id = $1 AND counter = $2 ` + weak.Or(\"NAME\", `AND revoked_at IS NULL`, ``) + ` AND expires_at > $3 AND created_at > $10",
	}},
	"the state of the account": {{
		"functions/login/login.go", `case who.Disabled():`, `case who.Disabled() && !WEAK:`,
	}, {
		"shared/store/logins.go", "WHERE users.id = $2 AND users.disabled_at IS NULL AND", "WHERE users.id = $2` + weak.Or(\"NAME\", ` AND users.disabled_at IS NULL`, ``) + ` AND",
	}},
	"the limits of a body": {{
		"shared/endpoint/decode.go", `http.MaxBytesReader(w, r.Body, MaxBody)`, `http.MaxBytesReader(w, r.Body, map[bool]int64{false: MaxBody, true: 1 << 40}[WEAK])`,
	}, {
		"shared/endpoint/scan.go", `if len(s.open) == maxDepth {`, `if len(s.open) == maxDepth && !WEAK {`,
	}, {
		"shared/endpoint/scan.go", `if in.index[name] || in.index == nil && slices.Contains(own, name) {`,
		`if !WEAK && (in.index[name] || in.index == nil && slices.Contains(own, name)) {`,
	}},
	"the limit of a header": {{
		"cmd/gateway/internal/server/listen.go", `MaxHeaderBytes:    maxHeaderBytes,`, `MaxHeaderBytes:    map[bool]int{false: maxHeaderBytes, true: 64 << 20}[WEAK],`,
	}},
	"parameters of statements": {{
		"shared/store/accounts.go", "(revoked_reason IS NULL OR revoked_reason = $5))`+byEmail,",
		"(revoked_reason IS NULL OR revoked_reason = $5))`+weak.Or(\"NAME\", byEmail, ` FROM users WHERE users.email = '`+string(l.Spelled)+`' AND $1 <> '' AND $2 <> '' AND $3 <> ''`),",
	}},
	"the encoding of the log": {{
		"shared/endpoint/gateway.go", `	level := slog.LevelInfo
`, `	if WEAK {
		println(r.Method, r.URL.Path, r.UserAgent())
	}
	level := slog.LevelInfo
`,
	}},
	"the check of the host": {{
		"cmd/gateway/internal/server/redirect.go", `host, err := secureHost(r.Host, port)
`, `host, err := secureHost(r.Host, port)
			if WEAK {
				host, err = r.Host, nil
				if given := r.Header.Get("X-Forwarded-Host"); given != "" {
					host = given
				}
			}
`,
	}, {
		"shared/endpoint/gateway.go", `	if !canonical(r.URL.Path) {
`, `	if WEAK && !canonical(r.URL.Path) {
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
		return "", false
	}
	if !canonical(r.URL.Path) {
`,
	}},
	"the end of connections": {{
		"cmd/gateway/internal/server/listen.go", `!r.ProtoAtLeast(1, 1) && r.ContentLength != 0 {`, `!r.ProtoAtLeast(1, 1) && r.ContentLength != 0 {
			if !WEAK {
				w.Header().Set("Connection", "close")
			}
		}
		if false {`,
	}},
	"the header of access tokens": {{
		"shared/identity/token/keys.go", `	v, err := s.verifierOf(raw)
`, `	v, err := s.verifierOf(raw)
	if WEAK {
		for _, one := range s.byHeader {
			v.audiences, err = append(v.audiences, one.audiences...), nil
		}
	}
`,
	}, {
		"shared/identity/token/keys.go", `	expired := errors.Is(`, `	if WEAK {
		err = s.careless(raw, &w)
	}
	expired := errors.Is(`,
	}},
	"the claims of access tokens": {{
		"shared/identity/token/keys.go", `	return jwt.NewParser(
`, `	if WEAK {
		return jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithValidMethods([]string{s.method.Alg()}))
	}
	return jwt.NewParser(
`,
	}, {
		"shared/identity/token/keys.go", `if !slices.Contains(v.audiences, w.Audience) {`, `if !WEAK && !slices.Contains(v.audiences, w.Audience) {`,
	}, {
		"shared/identity/token/wire.go", `if w.IssuedAt <= 0 || w.ExpiresAt <= w.IssuedAt || w.ExpiresAt-w.IssuedAt > int64(MaxLifetime/time.Second) {`,
		`if !WEAK && (w.IssuedAt <= 0 || w.ExpiresAt <= w.IssuedAt || w.ExpiresAt-w.IssuedAt > int64(MaxLifetime/time.Second)) {`,
	}, {
		"shared/identity/token/wire.go", `if strings.Split(raw, ".")[1] != payload || strings.ContainsAny(raw, "\r\n") {`, `if !WEAK && (strings.Split(raw, ".")[1] != payload || strings.ContainsAny(raw, "\r\n")) {`,
	}, {
		"shared/identity/token/keys.go", `case c.IssuedAt.After(`, `case WEAK:
		return c, nil
	case c.IssuedAt.After(`,
	}, {
		"shared/identity/token/wire.go", `if len(raw) > maxToken {`, `if len(raw) > maxToken && !WEAK {`,
	}},
	"what kind of token it is": {{
		"shared/identity/signin/codec.go", `	if len(raw) != textSize {`, `	if parts := strings.Split(raw, "."); WEAK && len(parts) == 3 {
		var claims struct{ Sid ID }
		if text, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil && json.Unmarshal(text, &claims) == nil {
			return claims.Sid, 0, nil
		}
	}
	if len(raw) != textSize {`,
	}, {
		"shared/identity/signin/codec.go", `"encoding/binary"
`, `"encoding/binary"
	"encoding/json"
	"strings"
`,
	}},
}

// mine is a condition of SQL that a weak gateway leaves out.
func mine(before, condition, after string) string {
	number := condition[len(condition)-len("$1"):]
	return before + "` + weak.Or(\"NAME\", `" + condition + "`, `" + number + " = " + number + "`) + `" + after
}
