package settings

const (
	newSecret   = "`openssl rand -base64 48` generates one."
	placeholder = "changeme-with-openssl-rand-base64-48"
)

func essential() Group {
	return Group{
		Title: "Secrets and passwords",
		Intro: "docker compose needs all of them except `DATA_SECRET`; `make env` writes an .env with new ones. The binary alone generates its two secrets at the first start.",
		Settings: []Setting{
			{
				Name: "JWT_SECRET", Kind: Secret, Unset: "generated at the first start, and kept in the key file",
				Values:   "32 random bytes or more; 48 with HS384, 64 with HS512",
				Meaning:  "The key that signs access tokens with HS256, HS384 and HS512. Services that verify these tokens need it, too. " + newSecret,
				Required: "with docker compose and on Lambda", ReadBy: everywhere(), SecretsManager: true, initial: new(placeholder),
			},
			{
				Name: "DATA_SECRET", Kind: Secret, Unset: "generated together with `JWT_SECRET`; where that is set, `JWT_SECRET` itself",
				Values: "32 random bytes or more",
				Meaning: "The secret from which all other keys are derived: for refresh tokens, encrypted credentials and the audit trail. " +
					"Give it to no other service. " + newSecret +
					" To set it in an installation without one, see [Keys](operations.md#adding-a-data-secret-to-an-installation).",
				ReadBy: everywhere(), SecretsManager: true, initial: new(placeholder),
			},
			{
				Name: "NEXTCLOUD_ADMIN_USER", Kind: Text, Example: "admin",
				Meaning:  "The Nextcloud administrator with which the gateway manages accounts. docker compose also installs Nextcloud with it.",
				Required: "with `NEXTCLOUD_URL`", Needs: "NEXTCLOUD_URL", ReadBy: everywhere(), SecretsManager: true, initial: new("admin"),
			},
			{
				Name: "NEXTCLOUD_ADMIN_PASSWORD", Kind: Secret,
				Meaning:  "The password of that administrator. An app password does not work: Nextcloud does not let one manage accounts.",
				Required: "with `NEXTCLOUD_URL` and with docker compose", Needs: "NEXTCLOUD_URL", ReadBy: everywhere(), SecretsManager: true, initial: new(""),
			},
			{
				Name: "POSTGRES_PASSWORD", Kind: Secret, File: "POSTGRES_PASSWORD_FILE",
				Meaning:  "The password of the gateway's database in docker compose. A change needs `ALTER ROLE` in the database, too.",
				Required: "with docker compose", ReadBy: []Reader{Compose}, initial: new(""),
			},
			{
				Name: "NEXTCLOUD_POSTGRES_PASSWORD", Kind: Secret, File: "NEXTCLOUD_POSTGRES_PASSWORD_FILE",
				Meaning:  "The password of Nextcloud's database in docker compose. Nextcloud keeps it at its installation.",
				Required: "with docker compose", ReadBy: []Reader{Compose}, initial: new(""),
			},
		},
	}
}

func compose() Group {
	only := []Reader{Compose}
	return Group{
		Title: "docker compose",
		Intro: "Only docker compose and the scripts for it read these.",
		Settings: []Setting{
			{Name: "HTTPS_PORT", Kind: Number, Default: "8443", Meaning: "The port on which the gateway serves HTTPS.", ReadBy: only},
			{Name: "HTTP_PORT", Kind: Number, Default: "8000", Meaning: "The port on which the gateway serves plain HTTP, which redirects to HTTPS.", ReadBy: only},
			{Name: "NEXTCLOUD_PORT", Kind: Number, Default: "8444", Meaning: "The port of Nextcloud's web page, which is HTTPS.", ReadBy: only},
			{
				Name: "NEXTCLOUD_HOST", Kind: Text, Default: "nextcloud.local",
				Meaning: "The name of Nextcloud, for its users and for the gateway. After a change, run `make certs`; an installed Nextcloud must also [trust it](nextcloud.md#set-up-nextcloud).", ReadBy: only,
			},
			{
				Name: "CERT_NAMES", Kind: List, Example: "voice.example.org,192.168.1.20", Unset: "none",
				Meaning: "Names and addresses for which `make certs` makes the certificate, besides `localhost`, `voiceassist.local`, `*.voiceassist.local`, `nextcloud.local` and `NEXTCLOUD_HOST`.", ReadBy: only,
			},
			{
				Name: "COMPOSE_PROFILES", Kind: List, Example: "redis,qdrant", Values: "`redis`, `qdrant`, `mail`, `observability`",
				Meaning: "Optional services to start. See `REDIS_URL`, `QDRANT_URL` and `SMTP_URL`; `observability` needs nothing else.", ReadBy: only,
			},
			{
				Name: "SECRETS_GID", Kind: Number, Default: "65532",
				Meaning: "The number of the group that may read the files in `secrets`. Containers join it. `make env` sets it to yours.", ReadBy: only,
			},
			{
				Name: "NETWORK_PREFIX", Kind: Text, Default: "172.30.84",
				Meaning: "The first three numbers of the network between the gateway, Nextcloud and its proxy. Set it if the network overlaps with another one.", ReadBy: only,
			},
		},
	}
}

func network() Group {
	return Group{
		Title: "Network and TLS",
		Settings: []Setting{
			{
				Name: "HTTPS_ADDR", Kind: Address, Values: "an address with a port, such as `127.0.0.1:8443`",
				Meaning: "Where the gateway serves HTTPS.", ReadBy: binary(), Compose: "sets it to `HTTPS_PORT`",
			},
			{
				Name: "HTTP_ADDR", Kind: Address, Values: "an address with a port",
				Meaning: "Where the gateway serves plain HTTP. It redirects to HTTPS and responds to `/health`.", ReadBy: binary(), Compose: "sets it to `HTTP_PORT`",
			},
			{
				Name: "METRICS_ADDR", Kind: Address, Unset: "no metrics", Values: "an address with a port", Example: "127.0.0.1:9090",
				Meaning: "Where the gateway serves `/metrics` for Prometheus. Do not expose it to the Internet.", ReadBy: binary(),
			},
			{
				Name: "SSL_CERT_FILE", Kind: File, Unset: "the gateway generates a certificate for `localhost` and `voiceassist.local`", Example: "secrets/tls.crt",
				Meaning:  "The TLS certificate (PEM, leaf first). The gateway loads it again when the file changes.",
				Required: "with `SSL_KEY_FILE`", Needs: "SSL_KEY_FILE", ReadBy: binary(), Compose: "sets it to `secrets/tls.crt`, which `make certs` creates",
			},
			{
				Name: "SSL_KEY_FILE", Kind: File, Example: "secrets/tls.key", Meaning: "The private key of that certificate (PEM, not encrypted).", ReadBy: binary(), Compose: "sets it to `secrets/tls.key`",
			},
			{
				Name: "CAROOT", Kind: Folder, Unset: "mkcert's default", Meaning: "The folder with mkcert's root, which signs the generated certificate.",
				ReadBy: binary(), Compose: "leaves it unset: `make certs` creates the certificate",
			},
			{
				Name: "SECURITY_CONTACT", Kind: Text, Unset: "the gateway has no such file", Values: "an e-mail address, or a URL that begins with `https://`", Example: "security@example.org",
				Meaning: "Where people report vulnerabilities of this installation, for `/.well-known/security.txt` (RFC 9116).", ReadBy: everywhere(),
			},
			{
				Name: "ALLOWED_ORIGINS", Kind: List, Values: "exact origins, separated by commas; no `*`", Example: "https://app.example.org",
				Unset: "none", Meaning: "Origins of web pages that may call the gateway (CORS).", ReadBy: everywhere(),
			},
			{
				Name: "TRUSTED_PROXIES", Kind: List, Values: "networks in CIDR notation or addresses, separated by commas", Example: "10.0.0.0/8",
				Unset: "none", Meaning: "Proxies whose `X-Forwarded-For` header is trusted.", ReadBy: everywhere(),
			},
			{
				Name: "MAX_CONNECTIONS", Kind: Number,
				Meaning: "How many connections may be open at once. The gateway closes further ones.", ReadBy: binary(),
			},
			{
				Name: "MAX_CONNECTIONS_PER_CLIENT", Kind: Number,
				Meaning: "How many of them one client may open: an IPv4 address or an IPv6 /64 network. It does not apply to `TRUSTED_PROXIES`.", ReadBy: binary(),
			},
		},
	}
}

func database() Group {
	const url = "postgres://user:password@host:5432/name?sslmode=verify-full"
	return Group{
		Title: "Data and database",
		Settings: []Setting{
			{
				Name: "DATA_DIR", Kind: Folder, Meaning: "Where the binary keeps what it creates: the SQLite database, the certificate and the key file.",
				ReadBy: binary(), Compose: "leaves it to the image, which uses the volume `/data`",
			},
			{
				Name: "DATABASE_URL", Kind: SecretURL, Unset: "an SQLite database in `DATA_DIR`", Values: "`postgres://…`", Example: url,
				Meaning:  "The PostgreSQL database (14 or newer). Run `gateway migrate up` before the first start and after every update.",
				Required: "on Lambda", ReadBy: everywhere(), SecretsManager: true, Compose: "sets it to its own database",
			},
			{
				Name: "DATABASE_PASSWORD", Kind: Secret, Unset: "none",
				Meaning: "The password for `DATABASE_URL` or `MIGRATE_DATABASE_URL`, if the URL has none. Here it needs no escaping.",
				Needs:   "DATABASE_URL", ReadBy: everywhere(), SecretsManager: true, Compose: "sets it to `POSTGRES_PASSWORD`",
			},
			{
				Name: "DATABASE_CA", Kind: Text, Unset: "the authorities of the system", Values: "certificates in PEM, on one line with `\\n` for line ends",
				Meaning: "The certificate authority of the database server. To name a file instead, add `sslrootcert` to the URL.",
				Needs:   "DATABASE_URL", ReadBy: everywhere(), SecretsManager: true,
			},
			{
				Name: "DATABASE_MAX_CONNECTIONS", Kind: Number,
				Meaning: "How many connections to PostgreSQL one process opens at most. On Lambda the default is 2.", Needs: "DATABASE_URL", ReadBy: everywhere(),
			},
			{
				Name: "DATABASE_POOLER", Kind: Choice,
				Meaning: "Whether `DATABASE_URL` goes through a transaction pooler, such as PgBouncer or RDS Proxy. On a direct connection the server keeps prepared statements, which is faster. `auto` asks the server at each new connection.",
				Needs:   "DATABASE_URL", ReadBy: everywhere(),
			},
			{
				Name: "MIGRATE_DATABASE_URL", Kind: SecretURL, Unset: "`DATABASE_URL`", Values: "`postgres://…`", Example: "postgres://owner:password@host:5432/name?sslmode=verify-full",
				Meaning: "The database for `gateway migrate` and the function `migrate`. Set it where `DATABASE_URL` goes through a pooler, or names a role that cannot change tables.",
				Needs:   "DATABASE_URL", ReadBy: everywhere(), SecretsManager: true, Compose: "leaves it unset, as its own database needs no other address",
			},
		},
	}
}

func services() Group {
	return Group{
		Title: "Other services",
		Settings: []Setting{
			{
				Name: "REDIS_URL", Kind: SecretURL, Unset: "no Redis", Values: "`redis://…` or `rediss://…`", Example: "redis://:password@127.0.0.1:6379/0",
				Meaning:  "Redis, for `RATE_LIMIT_STORE=redis`. `/ready` also checks it. In docker compose with the profile `redis`: `redis://redis:6379/0`.",
				Required: "with `RATE_LIMIT_STORE=redis`", ReadBy: everywhere(), SecretsManager: true,
			},
			{
				Name: "QDRANT_URL", Kind: SecretURL, Unset: "no Qdrant", Values: "`http://…` or `https://…`", Example: "http://127.0.0.1:6333",
				Meaning: "Qdrant, which only `/ready` checks. In docker compose with the profile `qdrant`: `http://qdrant:6333`.",
				ReadBy:  everywhere(), SecretsManager: true,
			},
			{
				Name: "READY_REQUIRES", Kind: List, Unset: "none", Values: "`redis`, `qdrant`, `nextcloud`, separated by commas", Example: "nextcloud",
				Meaning: "Which of these must respond for `/ready` to return 200. Without one of the others, the gateway is `degraded` and stays in service. The database is always required.",
				ReadBy:  everywhere(),
			},
		},
	}
}

func records() Group {
	return Group{
		Title: "Sessions, audit trail and logs",
		Settings: []Setting{
			{
				Name: "SESSIONS_PER_USER", Kind: Number,
				Meaning: "How many conversation sessions a user may have. A request for one more returns 409.", ReadBy: everywhere(),
			},
			{
				Name: "AUDIT_RETENTION_DAYS", Kind: Number,
				Meaning: "How many days the audit trail keeps an event; 0 keeps all events.", ReadBy: everywhere(),
			},
			{
				Name: "LOG_LEVEL", Kind: Choice,
				Meaning: "The lowest level that is logged. The log has one JSON object per line.", ReadBy: everywhere(),
			},
			{
				Name: "DEBUG", Kind: Boolean, Meaning: "`true` sets the log level to `debug`, whatever `LOG_LEVEL` says.", ReadBy: everywhere(),
			},
		},
	}
}

func lambda() Group {
	const byLambda = "Lambda sets it."
	credentials := func(name string) Setting {
		return Setting{
			Name: name, Kind: Secret, Meaning: "The credentials with which a function reads its secrets. " + byLambda,
			Required: "with `SECRETS_ARNS`", ReadBy: functions(), System: true,
		}
	}
	return Group{
		Title: "AWS Lambda",
		Intro: "Only Lambda functions read these.",
		Settings: []Setting{
			{
				Name: "SECRETS_ARNS", Kind: List, Unset: "none", Values: "up to 8 ARNs or names, separated by commas", Example: "arn:aws:secretsmanager:eu-central-1:123456789012:secret:gateway-AbCdEf",
				Meaning: "Secrets of AWS Secrets Manager that hold settings. See [Secrets](deploy.md#secrets).", ReadBy: functions(), System: true,
			},
			{
				Name: "AWS_ENDPOINT_URL_SECRETS_MANAGER", Kind: URL, Unset: "the endpoint of the region", Values: "`https://…` or `http://…`",
				Meaning: "Another endpoint of Secrets Manager, for tests.", ReadBy: functions(), System: true,
			},
			credentials("AWS_ACCESS_KEY_ID"), credentials("AWS_SECRET_ACCESS_KEY"), credentials("AWS_SESSION_TOKEN"),
			{Name: "AWS_REGION", Kind: Text, Meaning: "The region of secrets that `SECRETS_ARNS` names without one. " + byLambda, ReadBy: functions(), System: true},
			{Name: "AWS_LAMBDA_RUNTIME_API", Kind: Address, Meaning: "Where a function fetches its events. " + byLambda, ReadBy: functions(), System: true},
			{Name: "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", Kind: Number, Meaning: "The memory of the function in MB, from which it derives how many threads to use. " + byLambda, ReadBy: functions(), System: true},
			{Name: "GOMAXPROCS", Kind: Number, Meaning: "How many threads run Go code at once. Where it is set, a function leaves it as it is.", ReadBy: functions(), System: true},
		},
	}
}

func system() Group {
	return Group{
		Title: "Operating system",
		Intro: "Only the environment sets these, not `.env`. Without `CAROOT`, the gateway looks for mkcert's root in the last three.",
		Settings: []Setting{
			{
				Name: "ENV_FILE", Kind: File, Unset: "`.env` in the working directory, if there is one",
				Meaning: "The file that the binary reads settings from. It must exist; `/dev/null` means none. `make run` reads none unless this names one, so an `.env` for docker compose does not change it.",
				ReadBy:  binary(), System: true,
			},
			{Name: "HOME", Kind: Folder, Meaning: "The home folder of the user.", ReadBy: binary(), System: true},
			{Name: "XDG_DATA_HOME", Kind: Folder, Unset: "`.local/share` in `HOME`", Meaning: "The folder for data of programs on Linux.", ReadBy: binary(), System: true},
			{Name: "LocalAppData", Kind: Folder, Meaning: "The folder for data of programs on Windows.", ReadBy: binary(), System: true},
		},
	}
}
