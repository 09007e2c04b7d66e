// Package page is the function behind GET /, the page on which people register, sign in
// and manage their account and their files. It is a client of the public API like any
// other: the function only serves its files, which `make web` builds from web/. It also
// serves what browsers expect at fixed addresses, such as /favicon.ico. Begin with
// [Function.Pages].
package page

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
)

//go:embed dist
var built embed.FS

// policy is the content security policy of the page. Everything is from files of the
// gateway, and no script can make elements from text. Pictures of the user's own files,
// and QR codes, come from memory (blob:).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
	"manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// A Function serves the page.
type Function struct {
	Settings

	Now func() time.Time
}

// Pages returns the routes of the page. They are for people, so the API description does
// not contain them.
func (f *Function) Pages() endpoint.Routes {
	return append(f.wellKnown(), endpoint.Routes{
		{Pattern: "GET /{$}", Handler: endpoint.Raw(show(load("index.html")))},
		{Pattern: "GET /assets/{file}", Handler: endpoint.Raw(assets())},
	}...)
}

var errNotFound = fault.New(fault.NotFound, "not_found", "Nothing exists at this path.")

// show serves the page to browsers. Programs do not ask for HTML, and get the response
// for unknown paths.
func show(index *file) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Add("Vary", "Accept")
		if !accepts(r, "Accept", "text/html") { // a wildcard, which programs send, is not enough
			return errNotFound
		}
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache") // it names the files of one version
		index.serve(w, r)
		return nil
	}
}

// assets serves the files of the page. The name of each contains a hash of its content,
// so browsers keep it.
func assets() func(http.ResponseWriter, *http.Request) error {
	names, err := fs.Glob(built, "dist/assets/*")
	if err != nil {
		panic("page: " + err.Error()) // the pattern is a constant
	}
	files := make(map[string]*file, len(names))
	for _, name := range names {
		files[path.Base(name)] = load("assets/" + path.Base(name))
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		f, found := files[r.PathValue("file")]
		if !found {
			return errNotFound
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		f.serve(w, r)
		return nil
	}
}
