package settings

func keys() Group {
	const (
		symmetric  = "JWT_ALGORITHM=HS256|HS384|HS512"
		asymmetric = "JWT_ALGORITHM=EdDSA|ES256|RS256"
	)
	pem := func(name, key, example string) []Setting {
		return []Setting{
			{
				Name: name + "_FILE", Kind: File, Example: "secrets/" + example, Unset: "the key file",
				Meaning: key + " (PEM).", Needs: asymmetric, ReadBy: everywhere(),
			},
			{
				Name: name, Kind: Secret, Values: "PEM, on one line with `\\n` for line ends",
				Meaning: "The same as text, instead of `" + name + "_FILE`.",
				Needs:   asymmetric, ReadBy: everywhere(), SecretsManager: true,
			},
		}
	}
	g := Group{
		Title: "Keys",
		Intro: "[Keys](operations.md#keys) in the operations guide explains how to rotate keys.",
		Settings: []Setting{
			{
				Name: "JWT_ALGORITHM", Kind: Choice,
				Meaning: "How access tokens are signed: `HS…` with `JWT_SECRET`, the others with a private key. Only tokens with this algorithm are accepted.", ReadBy: everywhere(),
			},
			{
				Name: "JWT_KEYS_DIR", Kind: Folder, Unset: "`DATA_DIR`",
				Meaning: "The folder of the key file `keys.json`, which holds the keys that no setting names. `gateway keys rotate` rotates them. In docker compose, use a folder in `/data`.",
				ReadBy:  binary(),
			},
			{
				Name: "JWT_PREVIOUS_SECRETS", Kind: Secret, Values: "secrets, separated by commas", Unset: "none",
				Meaning: "Other values of `JWT_SECRET` that are still accepted, or are accepted already, during a rotation.",
				ReadBy:  everywhere(), SecretsManager: true,
			},
			{
				Name: "DATA_PREVIOUS_SECRETS", Kind: Secret, Values: "secrets, separated by commas", Unset: "none",
				Meaning: "The same for `DATA_SECRET`.", ReadBy: everywhere(), SecretsManager: true,
			},
		},
	}
	g.Settings = append(g.Settings, pem("JWT_PRIVATE_KEY", "The private key that signs access tokens with EdDSA, ES256 and RS256", "jwt.pem")...)
	g.Settings = append(g.Settings, pem("JWT_NEXT_PUBLIC_KEY", "The public key of the next private key. The gateway publishes it before it signs", "jwt-next.pem")...)
	g.Settings = append(g.Settings, pem("JWT_PREVIOUS_PUBLIC_KEY", "The public key of the previous private key, which is still accepted", "jwt-previous.pem")...)
	return g
}

func tokens() Group {
	return Group{
		Title: "Tokens and logins",
		Settings: []Setting{
			{Name: "JWT_ISSUER", Kind: Text, Meaning: "The `iss` claim of access tokens.", ReadBy: everywhere()},
			{
				Name: "JWT_AUDIENCE", Kind: Text, Unset: "no `aud` claim", Example: "voiceassist-api",
				Meaning: "The `aud` claim of access tokens. Where it is set, tokens without it are rejected.", ReadBy: everywhere(),
			},
			{Name: "ACCESS_TOKEN_EXPIRE_MINUTES", Kind: Number, Meaning: "How long an access token is valid, in minutes.", ReadBy: everywhere()},
			{
				Name: "REFRESH_TOKEN_EXPIRE_DAYS", Kind: Number,
				Meaning: "After how many days without a refresh a login expires.", ReadBy: everywhere(),
			},
			{
				Name: "LOGIN_LIFETIME_DAYS", Kind: Number,
				Meaning: "After how many days a login expires in any case; 0 means never. A change applies to existing logins at once.", ReadBy: everywhere(),
			},
			{
				Name: "REFRESH_TOKEN_GRACE_SECONDS", Kind: Number,
				Meaning: "For how many seconds a refresh token can be sent again after its use, for clients that lost the response.", ReadBy: everywhere(),
			},
		},
	}
}

func passwords() Group {
	return Group{
		Title: "Registration and passwords",
		Settings: []Setting{
			{
				Name: "REGISTRATION", Kind: Choice,
				Meaning: "Who may get an account: with `open` everybody, with `invite` whom an administrator invites, with `closed` nobody, and invitations do not work either. Administrators can always create accounts with a password. See [Invitations](mail.md#invitations).",
				ReadBy:  everywhere(),
			},
			{
				Name: "REGISTRATION_CONFLICT", Kind: Choice,
				Meaning: "The response to a registration with an address that has an account: `reveal` returns 409, `silent` returns the same response as for a new address. See [Registration](api.md).",
				ReadBy:  everywhere(),
			},
			{
				Name: "EMAIL_VERIFICATION", Kind: Choice,
				Meaning: "What users who register may not do before they verify their e-mail address: with `storage` they get no account in Nextcloud, with `login` they cannot log in either. Accounts that are older than the setting are exempt. Unless it is `off`, a changed address must be confirmed. See [Verification](mail.md#verification).",
				ReadBy:  everywhere(),
			},
			{
				Name: "REQUIRE_2FA_FOR_ADMINS", Kind: Boolean,
				Meaning: "Whether administrators must have a second factor. One without reaches only the setup, who am I and the logout. See [Second factor](second-factor.md).",
				ReadBy:  everywhere(),
			},
			{
				Name: "PWNED_PASSWORDS_URL", Kind: URL, Unset: "only the built-in list of common passwords", Values: "`https://…`, or `http://…` on the same machine",
				Example: "https://api.pwnedpasswords.com",
				Meaning: "A service that knows passwords from breaches, with the range API of Have I Been Pwned. It learns five digits of the hash of a new password, not the password. A password passes if the service does not answer within a second.",
				ReadBy:  everywhere(),
			},
			{
				Name: "BCRYPT_COST", Kind: Number,
				Meaning: "The cost of password hashes. Each step doubles the time. A login renews a hash with a lower cost.", ReadBy: everywhere(),
			},
			{
				Name: "PASSWORD_QUEUE", Kind: Number, Unset: "16 for each hash that can run at once, which is one per processor, less one",
				Meaning: "How many requests may wait to hash a password. Further ones return 503.", ReadBy: everywhere(),
			},
		},
	}
}

func rateLimits() Group {
	const values = "1 to 100000, or `off`"
	limit := func(name, meaning string) Setting {
		return Setting{Name: name, Kind: Number, Values: values, Meaning: meaning, ReadBy: everywhere()}
	}
	return Group{
		Title: "Rate limits",
		Intro: "Each limit counts requests per minute. A client is an IPv4 address or an IPv6 /64 network.",
		Settings: []Setting{
			limit("RATE_LIMIT_PER_MINUTE", "All requests of a client."),
			limit("LOGIN_RATE_LIMIT_PER_MINUTE", "Logins of a client, and logins to one account from addresses that it has not used before."),
			limit("REGISTER_RATE_LIMIT_PER_MINUTE", "Registrations of a client."),
			limit("REFRESH_RATE_LIMIT_PER_MINUTE", "Token refreshes of a client, and of one login."),
			limit("PASSWORD_RATE_LIMIT_PER_MINUTE", "Requests with the current password, such as to change it: of a client, and for one account."),
			limit("API_KEY_RATE_LIMIT_PER_MINUTE", "Requests with one API key, from all clients together."),
			{
				Name: "RATE_LIMIT_STORE", Kind: Choice,
				Meaning: "Where requests are counted. Use `database` or `redis` where several processes share the limits. On Lambda the default is `database`, and `redis` is not available.",
				ReadBy:  everywhere(),
			},
		},
	}
}

func nextcloud() Group {
	const needs = "NEXTCLOUD_URL"
	return Group{
		Title: "Nextcloud",
		Intro: "The administrator is set [above](#secrets-and-passwords).",
		Settings: []Setting{
			{
				Name: "NEXTCLOUD_URL", Kind: SecretURL, Unset: "no Nextcloud", Values: "`https://…` or `http://…`", Example: "https://nextcloud.example.org",
				Meaning: "The address of Nextcloud 27 to 34, as the gateway reaches it.", ReadBy: everywhere(), Compose: "sets it to its own Nextcloud",
			},
			{
				Name: "NEXTCLOUD_PUBLIC_URL", Kind: SecretURL, Unset: "`NEXTCLOUD_URL`", Values: "`https://…` or `http://…`", Example: "https://cloud.example.org",
				Meaning: "Nextcloud, as users reach it.", Needs: needs, ReadBy: everywhere(),
			},
			{
				Name: "NEXTCLOUD_DEFAULT_QUOTA", Kind: Text, Values: "`N MB`, `N GB` or `none`",
				Meaning: "How much a new account can store.", Needs: needs, ReadBy: everywhere(),
			},
			{
				Name: "NEXTCLOUD_QUOTA_DRIFT", Kind: Choice,
				Meaning: "What happens to a quota that somebody changed in Nextcloud: `keep` leaves it, `reset` restores it.", Needs: needs, ReadBy: everywhere(),
			},
			{
				Name: "NEXTCLOUD_GROUP", Kind: Text, Unset: "no group", Example: "voiceassist",
				Meaning: "A Nextcloud group to which every account is added. The gateway creates it.", Needs: needs, ReadBy: everywhere(),
			},
			{
				Name: "NEXTCLOUD_USER_ID", Kind: Choice,
				Meaning: "What a new account uses as its user id in Nextcloud: the e-mail address or the user's id.", Needs: needs, ReadBy: everywhere(),
			},
			{
				Name: "NEXTCLOUD_PASSWORD_SYNC", Kind: Boolean,
				Meaning: "Whether users log in to Nextcloud with the same password.", Needs: needs, ReadBy: everywhere(),
			},
			{
				Name: "NEXTCLOUD_ON_DELETE", Kind: Choice,
				Meaning: "What happens to the Nextcloud account of a deleted user.", Needs: needs, ReadBy: everywhere(),
			},
			{
				Name: "NEXTCLOUD_WORKERS", Kind: Number,
				Meaning: "How many accounts a process creates or changes in Nextcloud at a time. More than Nextcloud has processors gain little. If the administrator's password is changed meanwhile, each of them can fail to log in, and Nextcloud locks out an address after ten failures.", Needs: needs, ReadBy: everywhere(),
			},
			{
				Name: "NEXTCLOUD_CA_FILE", Kind: File, Unset: "the authorities of the system", Example: "secrets/nextcloud-ca.pem",
				Meaning: "The certificate authority of Nextcloud (PEM), where no public one signed its certificate.", Needs: needs, ReadBy: everywhere(),
			},
		},
	}
}
