package endpoint

import (
	"crypto/sha256"
	"encoding/base64"
	"html"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// programs are the paths whose errors are problems for everybody, with their subpaths.
var programs = []string{"/api", "/health", "/ready", "/openapi.json"}

// wantsPage reports whether the response to r, if it fails, is for a person: a browser
// asked for a page. Browsers prefer HTML when somebody opens an address or sends a form,
// and take anything when a script asks.
func wantsPage(r *http.Request) bool {
	for _, p := range programs {
		if rest, ok := strings.CutPrefix(r.URL.Path, p); ok && (rest == "" || rest[0] == '/') {
			return false
		}
	}
	page := weight(r, "text/html")
	return page > 0 && page > weight(r, "application/json") && page > weight(r, "application/problem+json")
}

// weight returns the weight of a content type that the Accept header names (RFC 9110
// section 12.4.2), or 0 if it does not. Programs send wildcards, so they do not count.
func weight(r *http.Request, contentType string) float64 {
	for _, header := range r.Header.Values("Accept") {
		for item := range strings.SplitSeq(header, ",") {
			name, params, err := mime.ParseMediaType(item)
			if err != nil || name != contentType {
				continue
			}
			if params["q"] == "" {
				return 1
			}
			q, _ := strconv.ParseFloat(params["q"], 64) // 0 for what is no number
			return q
		}
	}
	return 0
}

// Language returns the index of the language that the Accept-Language header of r prefers
// (RFC 9110 section 12.5.4), among primary tags such as "en", or 0.
func Language(r *http.Request, tags ...string) int {
	best, weight := 0, 0.0
	for _, option := range strings.SplitN(r.Header.Get("Accept-Language"), ",", 20) {
		tag, params, _ := strings.Cut(option, ";")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			q, _ = strconv.ParseFloat(value, 64) // 0 for what is no number
		}
		base, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
		for i := range tags {
			if base == tags[i] && q > weight {
				best, weight = i, q
			}
		}
	}
	return best
}

// A wording is a text in English and German.
type wording [2]string

var languageTags = []string{"en", "de"}

// pageTexts are the title and the advice of a page, by status. Others get those of 400 or
// 500.
var pageTexts = map[int][2]wording{
	http.StatusBadRequest: {
		{"This did not work", "Das hat nicht funktioniert"},
		{"The gateway does not understand the request.", "Das Gateway versteht die Anfrage nicht."},
	},
	http.StatusUnauthorized: {
		{"Please sign in", "Bitte anmelden"},
		{"You have to sign in to see this page.", "Sie müssen sich anmelden, um diese Seite zu sehen."},
	},
	http.StatusForbidden: {
		{"Not allowed", "Nicht erlaubt"},
		{"This page is not for you.", "Diese Seite ist nicht für Sie bestimmt."},
	},
	http.StatusNotFound: {
		{"Page not found", "Seite nicht gefunden"},
		{"Nothing is at this address. It may be misspelt, or the page has moved.", "Unter dieser Adresse gibt es nichts. Vielleicht ist sie falsch geschrieben, oder die Seite ist umgezogen."},
	},
	http.StatusTooManyRequests: {
		{"One moment, please", "Einen Moment bitte"},
		{"There were too many requests from your network.", "Aus Ihrem Netz kamen zu viele Anfragen."},
	},
	http.StatusInternalServerError: {
		{"Something went wrong", "Etwas ist schiefgegangen"},
		{"It is not your fault. Try again later.", "Es liegt nicht an Ihnen. Versuchen Sie es später noch einmal."},
	},
	http.StatusServiceUnavailable: {
		{"Back in a moment", "Gleich wieder da"},
		{"The gateway cannot respond at the moment.", "Das Gateway kann gerade nicht antworten."},
	},
}

var (
	retryText     = wording{"Try again in %s seconds.", "Versuchen Sie es in %s Sekunden noch einmal."}
	retryOneText  = wording{"Try again in 1 second.", "Versuchen Sie es in 1 Sekunde noch einmal."}
	referenceText = wording{"If you ask for help, give this reference:", "Wenn Sie um Hilfe bitten, nennen Sie diese Kennung:"}
	startText     = wording{"To the start page", "Zur Startseite"}
)

// pagePolicy allows the style, which is in the page itself, and the icon that browsers look
// for. A page about a failure must not need another request.
var pagePolicy = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(documentStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
})

// startDepth is the depth of a path up to which its error page has a link to the start page.
const startDepth = 10

// start returns the address of the start page, relative to the path of r, because PUBLIC_URL
// may have a path; "" if it would be long.
func start(r *http.Request) string {
	depth := strings.Count(r.URL.EscapedPath(), "/") - 1
	if depth < 0 || depth > startDepth {
		return ""
	}
	return "./" + strings.Repeat("../", depth)
}

// writePage responds with a page that says what the problem means for a person, and has
// the correlation ID for whoever helps.
func writePage(w http.ResponseWriter, r *http.Request, p problem) {
	texts, ok := pageTexts[p.Status]
	switch {
	case !ok && p.Status >= http.StatusInternalServerError:
		texts = pageTexts[http.StatusInternalServerError]
	case !ok:
		texts = pageTexts[http.StatusBadRequest]
	}
	l := Language(r, languageTags...)
	h := w.Header()
	advice := texts[1][l]
	switch seconds := h.Get("Retry-After"); seconds {
	case "":
	case "1":
		advice += " " + retryOneText[l]
	default:
		advice += " " + strings.Replace(retryText[l], "%s", seconds, 1)
	}
	h.Set("Content-Security-Policy", pagePolicy())
	h.Set("Content-Language", languageTags[l])
	h.Add("Vary", "Accept, Accept-Language")
	body := "<p>" + html.EscapeString(advice) + "</p>\n<p class=\"quiet\">" + html.EscapeString(referenceText[l]) +
		" <code>" + html.EscapeString(p.CorrelationID) + "</code></p>\n"
	if to := start(r); to != "" {
		body += "<p class=\"links\"><a href=\"" + to + "\">" + html.EscapeString(startText[l]) + "</a></p>\n"
	}
	WriteBytes(w, r, p.Status, "text/html; charset=utf-8", Document{
		Language: languageTags[l], Title: texts[0][l], Head: "<style>" + documentStyle + "</style>\n", Body: body,
	}.HTML())
}
