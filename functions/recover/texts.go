package recover

import (
	"net/http"

	"github.com/voiceassist/gateway/shared/endpoint"
)

// A language is one of the languages of the pages.
type language int

// The languages.
const (
	english language = iota
	german
	languages // their number
)

func (l language) tag() string { return [languages]string{"en", "de"}[l] }

// A text is a text in each language.
type text [languages]string

// preferred returns the language of the pages that r prefers, or English.
func preferred(r *http.Request) language {
	return language(endpoint.Language(r, english.tag(), german.tag()))
}

// The texts that all pages share.
var (
	codeLabel     = text{"Code from the mail", "Code aus der E-Mail"}
	codeHint      = text{"It is the part of the link after #.", "Es ist der Teil des Links hinter #."}
	passwordLabel = text{"New password", "Neues Passwort"}
	signInText    = text{"Sign in", "Anmelden"}
	nameLabel     = text{"Your name", "Ihr Name"}
	nameHint      = text{"You can leave it empty.", "Sie können das Feld leer lassen."}
	passwordHint  = text{"At least 8 characters.", "Mindestens 8 Zeichen."}
)

// failures are what the pages say instead of the details of problems, by their codes.
// Pages show other problems as programs get them.
var failures = map[string]text{
	"bad_token": {
		"This link is not valid. It may have been used, or have expired. Request a new one.",
		"Dieser Link ist nicht gültig. Vielleicht wurde er schon benutzt oder ist abgelaufen. Fordern Sie einen neuen an.",
	},
	"invalid_name":        {"The name is too long, or contains a character that is not allowed.", "Der Name ist zu lang oder enthält ein Zeichen, das nicht erlaubt ist."},
	"registration_closed": {"Registration is closed, and so are invitations.", "Zurzeit werden keine Konten eingerichtet."},
	"email_taken":         {"Another account uses this address by now.", "Ein anderes Konto benutzt inzwischen diese Adresse."},
	"busy":                {"Too many requests at the moment. Try again shortly.", "Im Moment gibt es zu viele Anfragen. Versuchen Sie es gleich noch einmal."},

	"password_too_short": {"The password must have at least 8 characters.", "Das Passwort braucht mindestens 8 Zeichen."},
	"password_too_long":  {"The password must have at most 72 characters.", "Das Passwort darf höchstens 72 Zeichen haben."},
	"password_common":    {"Many people use this password. Choose another one.", "Dieses Passwort benutzen viele. Wählen Sie ein anderes."},
	"password_breached":  {"This password is known from a breach of another service. Choose another one.", "Dieses Passwort ist aus einem Datenleck eines anderen Dienstes bekannt. Wählen Sie ein anderes."},
	"password_is_email":  {"The password must not be the e-mail address.", "Das Passwort darf nicht die E-Mail-Adresse sein."},
	"invalid_password":   {"The password contains a character that is not allowed.", "Das Passwort enthält ein Zeichen, das nicht erlaubt ist."},
}
