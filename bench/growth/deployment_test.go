package growth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/voiceassist/gateway/bench/seed"
	"github.com/voiceassist/gateway/functions/functionstest"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/identity/account"
	"github.com/voiceassist/gateway/shared/identity/codes"
	"github.com/voiceassist/gateway/shared/mail"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
	"github.com/voiceassist/gateway/shared/store"
)

// A deployment is a gateway with a database of some size.
type deployment struct {
	*functionstest.Gateway

	tb     testing.TB
	db     *store.DB
	cloud  *nextcloudtest.Server
	server *httptest.Server
	users  int // that the database was filled with
	turn   int // counts users and names

	admin, stored functionstest.Option // an administrator, and a user with files
}

const filePath = "/api/files/notes.txt"

// newDeployment fills the database and starts a gateway on it.
func newDeployment(tb testing.TB, db *store.DB, users int) *deployment {
	tb.Helper()
	const high = "1000000"
	d := &deployment{tb: tb, db: db, users: users}
	d.Gateway, d.cloud = functionstest.NewWithNextcloud(tb, db, map[string]string{
		"ACCESS_TOKEN_EXPIRE_MINUTES": "1440", "SESSIONS_PER_USER": high, "LOG_LEVEL": "error",
	})
	d.server = httptest.NewTLSServer(endpoint.New(d.Settings(), d.Routes()...))
	tb.Cleanup(d.server.Close)
	d.Advance(time.Since(d.Now())) // the reconciler uses the real clock
	fill(tb, db, users, d.Now())
	_, root := d.Admin("root@example.org")
	d.admin = functionstest.Bearer(root.Access)
	d.stored = d.fresh()
	d.provision()
	d.Do("PUT", filePath, "content", d.stored).Want(http.StatusCreated, "")
	return d
}

// in returns the deployment for a subtest.
func (d *deployment) in(tb testing.TB) *deployment {
	tb.Helper()
	of := *d
	of.tb, of.Gateway = tb, d.In(tb)
	return &of
}

// provision makes the accounts in Nextcloud that wait for it.
func (d *deployment) provision() {
	if _, err := d.Reconciler.RunBatch(d.tb.Context(), 100); err != nil {
		d.tb.Fatal(err)
	}
}

// next returns the number of a user without a second factor. Those of successive turns are
// far from each other.
func (d *deployment) next() int {
	d.turn++
	n := 1 + d.turn*7919%d.users
	if n%seed.PerSecondFactor == 0 {
		n--
	}
	return n
}

// user logs the next user in.
func (d *deployment) user() functionstest.Option { return functionstest.Bearer(d.login().Access) }

func (d *deployment) login() functionstest.Pair {
	return d.Login(seed.Email(d.next()), functionstest.Password)
}

// id returns the id of the next user.
func (d *deployment) id() string {
	return d.Do("GET", "/api/users/me", nil, d.user()).Want(http.StatusOK, "").Get("id")
}

// newEmail returns an address that was not used.
func (d *deployment) newEmail() string {
	d.turn++
	return fmt.Sprintf("new%d@example.org", d.turn)
}

// fresh registers a user who logs in, for calls that leave a user as no other call can use.
func (d *deployment) fresh() functionstest.Option {
	_, by := d.register(d.newEmail())
	return by
}

func (d *deployment) register(email string) (id string, by functionstest.Option) {
	id = string(d.Register(email, functionstest.Password))
	return id, functionstest.Bearer(d.Login(email, functionstest.Password).Access)
}

// conflict returns a user whose address belonged to an account in Nextcloud.
func (d *deployment) conflict() (id string, by functionstest.Option) {
	email := d.newEmail()
	d.cloud.AddUser(email, functionstest.Password+"!", email)
	id, by = d.register(email)
	d.provision()
	return id, by
}

// create makes something for the user, and returns the path of it.
func (d *deployment) create(path string, body any, by functionstest.Option) string {
	a := d.Do("POST", path, body, by).Want(http.StatusCreated, "")
	return path + "/" + a.Get("id")
}

// enrol sets up a second factor for a new user, and confirms it if confirm is set. code
// returns a code that was not used.
func (d *deployment) enrol(confirm bool) (email string, by functionstest.Option, code func() string) {
	email = d.newEmail()
	_, by = d.register(email)
	key := d.Do("POST", "/api/auth/2fa/setup", password(), by).Want(http.StatusOK, "").Get("manual_entry_key")
	code = func() string {
		d.Advance(codes.Period)
		code, err := totp.GenerateCode(key, d.Now())
		if err != nil {
			d.tb.Fatal(err)
		}
		return code
	}
	if confirm {
		d.Do("POST", "/api/auth/2fa/verify", fields{"code": code()}, by).Want(http.StatusOK, "")
	}
	return email, by, code
}

// code returns the token in the last mail to an address of the kind.
func (d *deployment) code(k mail.Kind, to string) (code string) {
	for _, m := range d.Mails() {
		if m.Kind == k && string(m.Recipient) == to {
			code = m.Code
		}
	}
	return code
}

// changePassword changes the password of a new user, and returns the token that says that
// it was somebody else.
func (d *deployment) changePassword() (notMe string) {
	email := d.newEmail()
	_, by := d.register(email)
	d.Outbox.Notices = true
	defer func() { d.Outbox.Notices = false }()
	body := fields{"old_password": functionstest.Password, "new_password": functionstest.Password + "?"}
	d.Do("POST", "/api/users/change-password", body, by).Want(http.StatusOK, "")
	return d.code(mail.PasswordChanged, email)
}

// invite invites a new user, and returns the id and the token of the invitation.
func (d *deployment) invite() (id, token string) {
	email := d.newEmail()
	id = d.Do("POST", "/api/users/invite", fields{"email": email}, d.admin).Want(http.StatusCreated, "").Get("id")
	return id, d.code(mail.Invitation, email)
}

// changeAddress asks for another address of a new user, as where addresses are confirmed,
// and returns the token that undoes it.
func (d *deployment) changeAddress() (undo string) {
	email, to := d.newEmail(), account.Email(d.newEmail())
	id, _ := d.register(email)
	err := d.DB.Update(d.tb.Context(), func(tx *store.Tx) error {
		a, err := tx.Account(d.tb.Context(), account.ID(id))
		if err != nil {
			return err
		}
		if a, err = tx.ChangeAccount(d.tb.Context(), tx.Operator(), a, store.Changes{Email: &to, Confirm: true}, d.Now()); err != nil {
			return err
		}
		return d.Outbox.ChangeAddress(d.tb.Context(), tx, a, d.Now())
	})
	if err != nil {
		d.tb.Fatal(err)
	}
	return d.code(mail.AddressChange, email)
}
