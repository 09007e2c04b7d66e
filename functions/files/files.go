// Package files is the function behind /api/files/: the caller's folder in
// Nextcloud, streamed in both directions. What a path may be and what may
// happen on the way is the business of package webdav; this one speaks HTTP.
package files

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
	"github.com/voiceassist/gateway/shared/validation"
)

// LambdaBody is how many bytes of content fit into an event or answer of
// Lambda: 6 MB, of which base64 takes a quarter and the envelope some KiB.
const LambdaBody = 4_500_000

// prefix is what stands before a path.
const prefix = "/api/files/"

// openTime bounds what comes before the transfer: the caller and their account.
const openTime = 10 * time.Second

// A Function serves files.
type Function struct {
	Auth    *endpoint.Authenticator
	Storage *access.Storage // nil: there is no Nextcloud
	MaxBody int64           // bytes of content in one request or answer; 0 is no limit
}

// Routes returns what the function serves.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "GET /api/files/{path...}", Handler: endpoint.Raw(f.with(f.read))},
		{Pattern: "PUT /api/files/{path...}", Handler: endpoint.Raw(f.with(f.write))},
		{Pattern: "DELETE /api/files/{path...}", Handler: endpoint.Raw(f.with(f.remove))},
		{Pattern: "POST /api/files/{path...}", Handler: endpoint.Authenticated(f.Auth, http.StatusNoContent, f.transplant, validation.Check)},
	}
}

// A target is what a request is about.
type target struct {
	*access.Opened

	by     signin.Proof
	path   webdav.Path
	folder bool // it was asked for with a slash at its end
}

// with runs a handler on the caller's folder.
func (f *Function) with(serve func(http.ResponseWriter, *http.Request, target) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		t, err := f.open(r)
		if err != nil {
			return err
		}
		err = serve(w, r, t)
		if gone := r.Context().Err(); err != nil && gone != nil {
			return gone // and whatever failed, failed because of that
		}
		return f.tell(r.Context(), t.Opened, err)
	}
}

func (f *Function) open(r *http.Request) (t target, err error) {
	ctx, cancel := context.WithTimeout(r.Context(), openTime)
	defer cancel()
	caller, err := f.Auth.Authenticate(ctx, r)
	if err != nil {
		return target{}, err
	}
	if t.path, t.folder, err = pathOf(r); err != nil {
		return target{}, err
	}
	t.by = caller.Proof()
	t.Opened, err = f.Storage.Open(ctx, caller.Account.ID)
	return t, err
}

// reconfirm reports whether the caller may still write.
func (f *Function) reconfirm(r *http.Request, t target) error {
	return f.Auth.Recheck(r.Context(), t.by)
}

// pathOf returns the path that r is about, from what was sent: the mux would
// give it without the escapes.
func pathOf(r *http.Request) (p webdav.Path, folder bool, err error) {
	raw := strings.TrimPrefix(r.URL.EscapedPath(), prefix)
	var wrong fault.Fields
	p = fault.ParseField(&wrong, "path", raw, webdav.ParseEscaped)
	return p, raw == "" || strings.HasSuffix(raw, "/"), wrong.Err()
}

// address is where a path is found here.
func address(p webdav.Path) string {
	return prefix + p.Escaped()
}
