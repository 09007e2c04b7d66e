package files

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
	"github.com/voiceassist/gateway/shared/identity/apikey"
	"github.com/voiceassist/gateway/shared/identity/signin"
	"github.com/voiceassist/gateway/shared/nextcloud/access"
	"github.com/voiceassist/gateway/shared/nextcloud/webdav"
	"github.com/voiceassist/gateway/shared/validation"
)

// LambdaBody is how many bytes of content fit into an event or a response of Lambda:
// 6 MB, of which base64 takes a quarter and the envelope some KiB.
const LambdaBody = 4_500_000

// prefix precedes the path of a file.
const prefix = "/api/files/"

// openTime limits the work before the transfer: authentication and the caller's
// account.
const openTime = 10 * time.Second

// A Function serves files. It is safe for concurrent use.
type Function struct {
	Auth    *endpoint.Authenticator
	Storage *access.Storage // nil if there is no Nextcloud
	MaxBody int64           // bytes of content in one request or response; 0 for no limit
}

// Routes returns what the function serves.
func (f *Function) Routes() endpoint.Routes {
	return endpoint.Routes{
		{Pattern: "GET /api/files/{path...}", Handler: endpoint.Raw(f.with(f.read)), Scope: apikey.FilesRead},
		{Pattern: "PUT /api/files/{path...}", Handler: endpoint.Raw(f.with(f.write)), Scope: apikey.FilesWrite},
		{Pattern: "DELETE /api/files/{path...}", Handler: endpoint.Raw(f.with(f.remove)), Scope: apikey.FilesWrite},
		{Pattern: "POST /api/files/{path...}", Handler: endpoint.Authenticated(f.Auth, http.StatusNoContent, f.transfer, validation.Check), Scope: apikey.FilesWrite},
	}
}

// A target is the file or folder of a request.
type target struct {
	*access.Opened

	by     signin.Proof
	path   webdav.Path
	folder bool // the path was sent with a trailing slash
}

// with returns a handler that runs serve on the caller's folder.
func (f *Function) with(serve func(http.ResponseWriter, *http.Request, target) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		t, err := f.open(r)
		if err != nil {
			return err
		}
		err = serve(w, r, t)
		if ended := r.Context().Err(); err != nil && ended != nil {
			return ended // it caused the failure
		}
		return f.faultOf(r.Context(), t.Opened, err)
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

// reconfirm returns an error if the caller may no longer write.
func (f *Function) reconfirm(r *http.Request, t target) error {
	return f.Auth.Recheck(r.Context(), t.by)
}

// pathOf returns the path of the request as it was sent, with its escapes, which the
// mux removes.
func pathOf(r *http.Request) (p webdav.Path, folder bool, err error) {
	raw := strings.TrimPrefix(r.URL.EscapedPath(), prefix)
	var wrong fault.Fields
	p = fault.ParseField(&wrong, "path", raw, webdav.ParseEscaped)
	return p, raw == "" || strings.HasSuffix(raw, "/"), wrong.Err()
}

// address returns the path of a file in this API.
func address(p webdav.Path) string {
	return prefix + p.Escaped()
}
