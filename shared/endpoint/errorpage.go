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
	referenceText = wording{"If you ask for help, give this reference:", "Wenn Sie um Hilfe bitten, nennen Sie diese Kennung:"}
)

// pageStyle is in the page itself: a page about a failure must not need another request.
const pageStyle = `:root{color-scheme:light dark;--ink:#1b1b1f;--paper:#fff;--soft:#f3f3f6}` +
	`@media (prefers-color-scheme:dark){:root{--ink:#e6e6eb;--paper:#17171a;--soft:#232328}}` +
	`*{box-sizing:border-box}` +
	`body{margin:0;padding:1.5rem 1rem;color:var(--ink);background:var(--soft);font:1rem/1.5 system-ui,sans-serif}` +
	`main{max-width:26rem;margin:5vh auto 0;padding:1.5rem;background:var(--paper);border-radius:.5rem}` +
	`h1{margin:0 0 .75rem;font-size:1.375rem;line-height:1.25}p{margin:0 0 1rem;overflow-wrap:anywhere}` +
	`small{display:block}code{font:.875em ui-monospace,monospace}`

// pagePolicy allows that style, and the icon that browsers look for.
var pagePolicy = sync.OnceValue(func() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
})

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
	if seconds := h.Get("Retry-After"); seconds != "" {
		advice += " " + strings.Replace(retryText[l], "%s", seconds, 1)
	}
	h.Set("Content-Security-Policy", pagePolicy())
	h.Set("Content-Language", languageTags[l])
	h.Add("Vary", "Accept, Accept-Language")
	title := html.EscapeString(texts[0][l])
	WriteBytes(w, r, p.Status, "text/html; charset=utf-8", []byte("<!doctype html>\n<html lang=\""+languageTags[l]+"\">\n<head>\n"+
		"<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>"+title+"</title>\n"+
		"<style>"+pageStyle+"</style>\n</head>\n<body>\n<main>\n<h1>"+title+"</h1>\n<p>"+html.EscapeString(advice)+"</p>\n<small>"+
		html.EscapeString(referenceText[l])+" <code>"+html.EscapeString(p.CorrelationID)+"</code></small>\n</main>\n</body>\n</html>\n"))
}
