package test_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/foundation/porttest"
	"github.com/voiceassist/gateway/shared/nextcloud/nextcloudtest"
)

// A guide is a Markdown page. A test runs its commands, all in one shell, in an empty
// directory.
type guide struct {
	page string
	// serve holds the flags of a gateway that runs beside the commands, with its data in
	// .data; nil if none runs.
	serve []string
	// nextcloud says that a Nextcloud runs, too, and that the settings name it.
	nextcloud bool
	// devcloud says that the gateway beside the commands has a Nextcloud for development.
	devcloud bool
	// postgres says that a PostgreSQL with the current schema runs, too. No setting names it,
	// only the address on the page, [shownPostgres].
	postgres bool
	// checkout says that the commands run in a clean copy of the project.
	checkout bool
	// env holds settings for the commands and for the gateway.
	env []string
	// programs maps names of programs that a test machine lacks to shell scripts that stand in
	// for them.
	programs map[string]string
}

// secretsManager stands in for the AWS CLI commands that create secrets.
const secretsManager = `[ "$1 $2 $3 $5" = "secretsmanager create-secret --name --secret-string" ] || exit 2
grep -q '^{".*}$' "${6#file://}" || exit 1
echo "{\"ARN\": \"arn:aws:secretsmanager:eu-central-1:123456789012:secret:$4-x1y2z3\", \"Name\": \"$4\", \"VersionId\": \"019ab3f0-6c1e-7d3a-9c55-0242ac120002\"}"
`

// oathtool stands in for the program of that name. Its first code is of the present time
// step, and each line of the file steps leads to the next. All are accepted for another 30
// seconds at least.
const oathtool = `
[ "$1 $2" = "--totp --base32" ] || exit 2
steps=$(cat "$HOME/steps" 2>/dev/null | wc -l)
exec python3 -c '
import base64, hashlib, hmac, struct, sys, time
key = base64.b32decode(sys.argv[1] + "=" * (-len(sys.argv[1]) % 8))
mac = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + int(sys.argv[2])), hashlib.sha1).digest()
at = mac[-1] & 15
print("%06d" % ((struct.unpack(">I", mac[at:at + 4])[0] & 0x7fffffff) % 10**6))
' "$3" "$steps"
`

// The addresses that pages show for a PostgreSQL, and for metrics.
const (
	shownPostgres = "postgres://gateway:secret@db.example.org/gateway"
	shownMetrics  = "127.0.0.1:9464"
)

// guides returns a row for each page with commands that are run.
func guides() []guide {
	return []guide{
		{page: "docs/api.md", serve: []string{}},
		{
			page: "docs/authentication.md", serve: []string{},
			env:      []string{"REFRESH_TOKEN_GRACE_SECONDS=1"},
			programs: map[string]string{"sleep": "exec /bin/sleep 2"}, // longer than that grace period
		},
		{
			page: "docs/accounts.md", serve: []string{}, env: []string{"EMAIL_VERIFICATION=login"},
			programs: map[string]string{"oathtool": oathtool, "sleep": `[ "$1" = 30 ] && echo >>"$HOME/steps" || exec /bin/sleep "$@"` + "\n"},
		},
		{page: "docs/configuration.md"},
		{page: "docs/nextcloud.md", serve: []string{}, nextcloud: true, programs: map[string]string{"occ": occ}},
		{page: "docs/deploy.md", programs: map[string]string{"aws": secretsManager}},
		{page: "docs/operations.md", nextcloud: true, postgres: true},
		{page: "docs/migrate-from-fastapi-users.md", serve: []string{}, postgres: true, programs: map[string]string{"psql": psqlWith(fastAPIUsers)}},
		{page: "docs/migrate-from-keycloak.md", serve: []string{}, programs: map[string]string{"kc.sh": keycloakScript()}},
		{page: "docs/migrate-from-supabase.md", serve: []string{}, postgres: true, programs: map[string]string{"psql": psqlWith(supabase)}},
		{page: "docs/troubleshooting.md", serve: []string{}},
		{page: "docs/manual-checklist.md", nextcloud: true},
		{page: "docs/testing.md", checkout: true},
	}
}

// occ stands in for the command of that name on a Nextcloud server. It changes the
// accounts of the test's Nextcloud.
const occ = `
ocs() {
	at=$1
	shift
	curl --silent --show-error --fail --output /dev/null --user "$NEXTCLOUD_ADMIN_USER:$NEXTCLOUD_ADMIN_PASSWORD" \
		--header 'OCS-APIRequest: true' "$NEXTCLOUD_URL/ocs/v2.php/cloud/users$at" "$@"
}
case $* in
"user:add --password-from-env --group admin "*) ;; # the test has its administrator
"user:add --password-from-env --email "*) ocs '' --data-urlencode "userid=$5" --data-urlencode "email=$4" --data-urlencode "password=$OC_PASS" ;;
"user:disable "*) ocs "/$2/disable" --request PUT ;;
config:system:[gs]et\ *|"config:app:set bruteForce "*) ;;
*) echo "occ $*: what is that?" >&2; exit 1 ;;
esac
`

// runElsewhere returns the pages with commands that another test runs.
func runElsewhere() map[string]string {
	return map[string]string{
		"README.md":             "TestCleanClone",
		"docs/quick-start.md":   "TestCleanClone, TestQuickStart",
		"docs/releases.md":      "release.TestRelease_HasTheSameBytes",
		"docs/verify-tokens.md": "TestVerifyTokens",
	}
}

// withoutCommands returns the pages without commands, and folders of such pages.
func withoutCommands() []string {
	return []string{
		"CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md",
		"docs/README.md", "docs/adr/", "docs/architecture.md", "docs/asvs.md", "docs/bounds.md", "docs/cli.md",
		"docs/divergences.md", "docs/failures.md", "docs/mail.md", "docs/page.md", "docs/performance.md", "docs/runbooks.md", "docs/scale.md",
		"docs/second-factor.md", "docs/tour.md",
	}
}

// guideTime limits the commands of a page, some of which poll.
const guideTime = 10 * time.Minute

// TestGuides runs the commands of every guide and compares their output with what the page
// shows.
func TestGuides(t *testing.T) {
	t.Parallel()
	for _, g := range guides() {
		t.Run(g.page, func(t *testing.T) {
			t.Parallel()
			all, s := blocks(t, g.page, read(t, g.page)), g.open(t)
			outputs, err := s.play(t, all)
			g.compare(t, all, outputs, err)
		})
	}
}

// TestGuides_CoverEveryPage checks that every page is in one of the lists above.
func TestGuides_CoverEveryPage(t *testing.T) {
	t.Parallel()
	played := runElsewhere()
	for _, g := range guides() {
		if played[g.page] != "" {
			t.Errorf("%s is listed twice", g.page)
		}
		played[g.page] = "TestGuides"
	}
	found := pages(t)
	for _, page := range found {
		quiet := slices.ContainsFunc(withoutCommands(), func(known string) bool {
			return page == known || strings.HasSuffix(known, "/") && strings.HasPrefix(page, known)
		})
		has := len(blocks(t, page, read(t, page))) > 0
		switch {
		case quiet == (played[page] != ""):
			t.Errorf("%s must be either in guides, in runElsewhere or in withoutCommands", page)
		case quiet == has:
			t.Errorf("%s is in the wrong list: it has commands: %t", page, has)
		}
		delete(played, page)
	}
	for page := range played {
		t.Errorf("%s is not a page of the project", page)
	}
}

// pages returns the Markdown pages of the project.
func pages(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir("../docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i] = filepath.ToSlash(strings.TrimPrefix(all[i], ".."+string(filepath.Separator)))
	}
	return all
}

// A scene is the environment in which the commands of a guide run.
type scene struct {
	guide
	dir string   // where they run
	env []string // of the shell
	p   *process // the gateway that runs beside them, or that they start
	// The addresses on the page, and the addresses that replace them.
	shown, actual []string
	// program is what the commands run in place of the gateway's source.
	program string
}

// open creates an empty directory and starts what the guide needs.
func (g guide) open(t *testing.T) *scene {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	if g.checkout {
		dir = cleanCopy(t)
	}
	s := &scene{guide: g, dir: dir, program: "gateway", shown: []string{shownMetrics}, actual: []string{porttest.Address(t)}}
	if err := os.Symlink(gateway(t), filepath.Join(bin, "gateway")); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(bin, "sqlite3")); err != nil {
		t.Fatal(err)
	}
	for name, script := range g.programs {
		writeExecutable(t, filepath.Join(bin, name), "#!/bin/sh\n"+script)
	}
	settings := slices.Clone(g.env)
	if g.nextcloud {
		settings = append(s.cloud(t), settings...)
	}
	if g.postgres {
		s.shown, s.actual = append(s.shown, shownPostgres), append(s.actual, database(t))
	}
	s.guide.env = settings
	s.env = append([]string{
		"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LANG=C.UTF-8", "BCRYPT_COST=10",
	}, settings...)
	if g.checkout {
		// Like the gateway, so that the tests on the page need not compile everything again.
		// A result of an earlier run would be marked as cached.
		s.env = append(append(s.env, caches(t)...), "CGO_ENABLED=0", "GOFLAGS=-trimpath -count=1")
	}
	if g.serve == nil {
		s.listen(porttest.Address(t), porttest.Address(t))
		return s
	}
	if err := os.Mkdir(filepath.Join(dir, ".data"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	return s
}

// cloud starts a Nextcloud, which the page calls https://cloud.example.org, and returns
// the settings for it.
func (s *scene) cloud(t *testing.T) []string {
	t.Helper()
	const admin = "voiceassist-gateway"
	cloud := nextcloudtest.New(nextcloudtest.Options{AdminUser: admin, AdminPassword: cloudPassword, Dir: t.TempDir()})
	cloud.SetAllowListed(true)
	server := httptest.NewUnstartedServer(cloud)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the doctor abandons a handshake
	server.StartTLS()
	t.Cleanup(server.Close)
	authority := filepath.Join(t.TempDir(), "cloud.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(authority, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.shown, s.actual = append(s.shown, "https://cloud.example.org"), append(s.actual, server.URL)
	return []string{
		"NEXTCLOUD_URL=" + server.URL, "NEXTCLOUD_ADMIN_USER=" + admin, "NEXTCLOUD_ADMIN_PASSWORD=" + cloudPassword,
		"NEXTCLOUD_CA_FILE=" + authority, "CURL_CA_BUNDLE=" + authority,
	}
}

// listen makes gateways that the commands start listen on these addresses.
func (s *scene) listen(https, plain string) {
	s.env = append(s.env, "HTTPS_ADDR="+https, "HTTP_ADDR="+plain)
	s.p = &process{https: "https://" + https, plain: "http://" + plain}
}

// start starts the gateway beside the commands.
func (s *scene) start(t *testing.T) {
	t.Helper()
	dir, env := filepath.Join(s.dir, ".data"), append(usualLimits(), s.guide.env...)
	if s.devcloud {
		s.p = startWithDevcloud(t, dir, env...)
		return
	}
	s.p = start(t, dir, s.serve, env...)
}

// play runs the commands as a reader would, in order up to the first that fails, and
// returns what each block printed on stdout and stderr.
func (s *scene) play(t *testing.T, all []block) (outputs []string, err error) {
	t.Helper()
	const mark = "=== the next block ==="
	var script strings.Builder
	for _, b := range all {
		if b.notRun != "" {
			continue
		}
		fmt.Fprintf(&script, "printf '%%s' '%s'\n", mark)
		if b.exit == 0 {
			script.WriteString(b.text)
			continue
		}
		fmt.Fprintf(&script, "set +e\n%s_status=$?\nset -e\n", b.text)
		fmt.Fprintf(&script, "[ $_status = %d ] || { echo \"exit status $_status, want %d\"; exit 1; }\n", b.exit, b.exit)
	}
	commands, printed := s.rename()
	ctx, cancel := context.WithTimeout(t.Context(), guideTime)
	defer cancel()
	out, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", commands.Replace(script.String()))
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.dir, s.env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	text, readErr := os.ReadFile(out.Name())
	if readErr != nil {
		t.Fatal(readErr)
	}
	return strings.Split(printed.Replace(string(text)), mark)[1:], err
}

// rename returns one replacer that puts the addresses of this run into commands, and one
// that puts those of the page into their output.
func (s *scene) rename() (commands, printed *strings.Replacer) {
	to, from := []string{}, []string{}
	if s.program != "" {
		to = append(to, "go run ./cmd/gateway", s.program, "scripts/run", s.program)
	}
	shown, actual := append(slices.Clone(s.shown), "https://localhost:8443", "http://localhost:8000"), append(slices.Clone(s.actual), s.p.https, s.p.plain)
	for i := range shown {
		to, from = append(to, shown[i], actual[i]), append(from, actual[i], shown[i])
	}
	return strings.NewReplacer(to...), strings.NewReplacer(from...)
}

// compare compares what each block printed with the page.
func (g guide) compare(t *testing.T, all []block, outputs []string, err error) {
	t.Helper()
	ran := 0
	left := map[string]int{}
	for _, b := range all {
		if b.notRun != "" {
			left[b.notRun]++
			continue
		}
		if ran++; ran > len(outputs) {
			continue
		}
		got := outputs[ran-1]
		if ran == len(outputs) && err != nil {
			t.Errorf("%s:%d: %v\n%s\n%s", g.page, b.line, err, b.text, got)
		} else if b.lang != "" && !b.matches(got) {
			t.Errorf("%s:%d: the page shows\n%s\nthe commands print\n%s", g.page, b.line,
				comparable(b.lang, b.output), comparable(b.lang, got))
		}
	}
	if ran == 0 {
		t.Errorf("%s: no block of commands ran", g.page)
	}
	t.Logf("%s: %d blocks of commands ran, left out: %v", g.page, len(outputs), left)
}
