package settings

func mails() Group {
	return Group{
		Title: "Mail",
		Intro: "The gateway writes mails into an outbox in the database, and sends them in the background. [Mail](mail.md) explains how.",
		Settings: []Setting{
			{
				Name: "SMTP_URL", Kind: SecretURL, Unset: "mails become files in `MAIL_DIR`", Example: "smtp://gateway:password@smtp.example.org:587",
				Values:  "`smtp://USER:PASSWORD@HOST:587` or `smtps://USER:PASSWORD@HOST:465`",
				Meaning: "The mail server. With `smtp://`, the connection must be encrypted by STARTTLS; `?starttls=optional` and `?starttls=off` are for servers on the same machine or network. In docker compose with the profile `mail`: `smtp://mailpit:1025?starttls=off`.",
				ReadBy:  everywhere(), SecretsManager: true,
			},
			{
				Name: "MAIL_FROM", Kind: Text, Example: "VoiceAssist <gateway@example.org>", Required: "with `SMTP_URL`",
				Meaning: "The sender of all mails.", ReadBy: everywhere(),
			},
			{
				Name: "PUBLIC_URL", Kind: URL, Unset: "`https://localhost:8443`", Values: "`https://…` or `http://…`", Example: "https://gateway.example.org",
				Required: "with `SMTP_URL`",
				Meaning:  "Where users reach the gateway. The links in mails lead there, whatever host a request names.", ReadBy: everywhere(),
			},
			{
				Name: "MAIL_TEMPLATES", Kind: Folder, Unset: "the built-in ones", Example: "templates",
				Meaning: "A folder with templates that replace the built-in ones, or add languages.", ReadBy: everywhere(),
			},
			{
				Name: "MAIL_DIR", Kind: Folder, Unset: "`DATA_DIR/mail` with the embedded database; otherwise mails wait in the outbox",
				Meaning: "Where mails become files while `SMTP_URL` is unset.", ReadBy: everywhere(),
			},
			{
				Name: "MAIL_NOTICES", Kind: Boolean,
				Meaning: "Whether users are told by mail of changes that somebody else may have made to their account. Without a way to send mails, none are written. See [Notices](mail.md#notices).", ReadBy: everywhere(),
			},
		},
	}
}
