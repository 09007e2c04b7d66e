package operator_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/voiceassist/gateway/cmd/gateway/internal/operator"
	"github.com/voiceassist/gateway/cmd/gateway/internal/userfile"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/store"
	"github.com/voiceassist/gateway/shared/store/storetest"
)

// TestExport_CanBeImported imports what it exported from more accounts than one statement
// reads, and compares all of them.
func TestExport_CanBeImported(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		from := newImporter(t, db)
		file := manyUsers(450) + "bob@bücher.example,\"Bob, \"\"the builder\"\"\"," + bcryptHash + "\ngrace@example.org,=1+1,\n"
		if _, _, err := importFile(t, from, t.Context(), strings.NewReader(file), operator.ImportOptions{}); err != nil {
			t.Fatal(err)
		}
		add(t, from, "root@example.org", account.Admin, false)
		if _, _, err := from.SetDisabled(t.Context(), account.Email("user7@example.org").Lookup(), true); err != nil {
			t.Fatal(err)
		}
		for _, format := range []userfile.Format{userfile.JSONLines, userfile.CSV} {
			var out bytes.Buffer
			before := export(t, from, &out, format, true)
			to := newImporter(t, storetest.SQLite(t))
			records, err := userfile.Read(&out, userfile.Auto, noon)
			if err != nil {
				t.Fatal(err)
			}
			report, err := to.Import(t.Context(), records, operator.ImportOptions{
				AllowAdmins: true, Wrong: func(r userfile.Record) { t.Error(r.Name, r.Err) }, Progress: func(operator.ImportReport) {},
			})
			if err != nil || report.Imported+report.Pending != len(before) {
				t.Fatalf("%s: %+v, %v; want %d accounts", format, report, err, len(before))
			}
			after := export(t, to, &out, format, true)
			own := cmpopts.IgnoreFields(account.Account{}, "ID", "UpdatedAt", "DisabledAt")
			if diff := cmp.Diff(before, after, own); diff != "" {
				t.Errorf("%s (-before +after):\n%s", format, diff)
			}
			if a, b := after["user7@example.org"], after["user8@example.org"]; !a.Disabled() || b.Disabled() {
				t.Errorf("%s: disabled %v and %v", format, a.Disabled(), b.Disabled())
			}
		}
	})
}

// export exports all accounts to out, and returns them by address. Only bcrypt hashes
// can be imported.
func export(t *testing.T, o *operator.Operator, out *bytes.Buffer, f userfile.Format, hashes bool) map[account.Email]store.HashedAccount {
	t.Helper()
	w, err := userfile.NewWriter(out, f, hashes)
	if err != nil {
		t.Fatal(err)
	}
	all := map[account.Email]store.HashedAccount{}
	n, err := o.Export(t.Context(), func(a store.HashedAccount) error {
		if a.Hash != bcryptHash {
			a.Hash, a.Pending = "", true
		}
		all[a.Email] = a
		return w.Write(a)
	})
	if err := errors.Join(err, w.Flush()); err != nil || n != len(all) {
		t.Fatal(n, len(all), err)
	}
	return all
}

// TestExport_LeavesHashesOut exports without the hashes, and ends with the error of the
// caller.
func TestExport_LeavesHashesOut(t *testing.T) {
	t.Parallel()
	o := newImporter(t, storetest.SQLite(t))
	if _, _, err := importFile(t, o, t.Context(), strings.NewReader(manyUsers(3)), operator.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, format := range []userfile.Format{userfile.JSONLines, userfile.CSV} {
		var out bytes.Buffer
		export(t, o, &out, format, false)
		if text := out.String(); strings.Contains(text, "$2b$") || strings.Contains(text, "hash") || !strings.Contains(text, "user2@example.org") {
			t.Errorf("%s: %s", format, text)
		}
	}
	full := errors.New("the disk is full")
	if n, err := o.Export(t.Context(), func(store.HashedAccount) error { return full }); !errors.Is(err, full) || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := userfile.NewWriter(new(bytes.Buffer), userfile.Supabase, true); err == nil || !strings.Contains(fmt.Sprint(err), "jsonl, csv") {
		t.Errorf("another format: %v", err)
	}
}
