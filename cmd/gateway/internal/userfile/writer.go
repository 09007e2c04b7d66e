package userfile

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/document"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
)

// A Writer writes accounts in a format that [Read] reads: [CSV] or [JSONLines].
type Writer struct {
	rows    *csv.Writer // nil for JSON
	objects *json.Encoder
	hashes  bool
}

// exported is an account in an export.
type exported struct {
	ID         account.ID      `json:"id"` // of the account here; an import makes another one
	Email      account.Email   `json:"email"`
	FullName   string          `json:"full_name"`
	Role       account.Role    `json:"role"`
	Disabled   bool            `json:"disabled"`
	VerifiedAt *time.Time      `json:"email_verified_at"`
	LastLogin  *time.Time      `json:"last_login"`
	CreatedAt  time.Time       `json:"created_at"`
	Prefs      document.Object `json:"preferences"`
	Hash       string          `json:"password_hash,omitempty"`
}

var columns = []string{
	"id", "email", "full_name", "role", "disabled", "email_verified_at", "last_login", "created_at", "preferences",
}

const hashColumn = "password_hash"

// NewWriter returns a writer in the format f. It writes password hashes only if hashes
// says so. Call [Writer.Flush] in the end.
func NewWriter(w io.Writer, f Format, hashes bool) (*Writer, error) {
	switch f {
	case CSV:
		out := &Writer{rows: csv.NewWriter(w), hashes: hashes}
		header := columns
		if hashes {
			header = append(slices.Clip(header), hashColumn)
		}
		return out, out.rows.Write(header)
	case JSONLines:
		out := &Writer{objects: json.NewEncoder(w), hashes: hashes}
		out.objects.SetEscapeHTML(false)
		return out, nil
	default:
		return nil, fmt.Errorf("the format is %q; it must be one of %s, %s", f, JSONLines, CSV)
	}
}

// Write writes an account.
func (w *Writer) Write(a store.HashedAccount) error {
	e := exported{
		ID: a.ID, Email: a.Email, FullName: a.FullName, Role: a.Role, Disabled: a.Disabled(),
		VerifiedAt: a.EmailVerifiedAt, LastLogin: a.LastLogin, CreatedAt: a.CreatedAt, Prefs: a.Preferences,
	}
	if w.hashes {
		e.Hash = a.Hash.Reveal()
	}
	if w.objects != nil {
		return w.objects.Encode(e)
	}
	row := []string{
		string(e.ID), string(e.Email), e.FullName, string(e.Role), strconv.FormatBool(e.Disabled),
		timeText(e.VerifiedAt), timeText(e.LastLogin), timeText(&e.CreatedAt), e.Prefs.String(),
	}
	if w.hashes {
		row = append(row, e.Hash)
	}
	return w.rows.Write(row)
}

// Flush writes what is buffered.
func (w *Writer) Flush() error {
	if w.rows == nil {
		return nil
	}
	w.rows.Flush()
	return w.rows.Error()
}

// timeText returns the time in CSV.
func timeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
