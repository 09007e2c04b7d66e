package server_test

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/server"
)

const years = 365 * 24 * time.Hour

func TestTLS_IssuesACertificateThatBrowsersAccept(t *testing.T) {
	t.Parallel()
	for _, signer := range []string{"itself", "mkcert"} {
		t.Run("signed by "+signer, func(t *testing.T) {
			t.Parallel()
			f := newLocal(t)
			if signer == "mkcert" {
				f.install(t, root(t, "mkcert", 10*years))
			}
			f.open(t)
			leaf := f.leaf(t)
			trusted := leaf
			if signer == "mkcert" {
				trusted = f.root(t)
			}
			roots := x509.NewCertPool()
			roots.AddCert(trusted)
			for _, name := range []string{
				"localhost", "127.0.0.1", "::1", "voiceassist.local", "api.voiceassist.local", "nextcloud.local",
			} {
				if strings.Contains(name, ":") {
					name = "[" + name + "]" // the form of addresses for Verify
				}
				_, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: f.now})
				if err != nil {
					t.Errorf("for %s: %v", name, err)
				}
			}
			if got := leaf.NotAfter.Sub(leaf.NotBefore); got != 365*24*time.Hour {
				t.Errorf("it lasts %v, want 365 days", got)
			}
			if len(leaf.SubjectKeyId) != 20 || !bytes.Equal(leaf.AuthorityKeyId, trusted.SubjectKeyId) {
				t.Errorf("its key is %x and its signer's %x, which is %x",
					leaf.SubjectKeyId, leaf.AuthorityKeyId, trusted.SubjectKeyId)
			}
			if leaf.KeyUsage != x509.KeyUsageDigitalSignature || !leaf.BasicConstraintsValid || leaf.IsCA ||
				!slices.Equal(leaf.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
				t.Errorf("it may be used for %b and %v, and sign others: %v; want a server's signatures alone",
					leaf.KeyUsage, leaf.ExtKeyUsage, leaf.IsCA)
			}
		})
	}
}

func TestTLS_KeyIsReadableOnlyByItsOwner(t *testing.T) {
	t.Parallel()
	f := newLocal(t)
	if err := os.MkdirAll(f.TLSDir, 0o755); err != nil {
		t.Fatal(err)
	}
	f.open(t)
	for path, want := range map[string]os.FileMode{f.TLSDir: 0o700, f.file(): 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v; want %v", filepath.Base(path), info.Mode(), err, want)
		}
	}
}

func TestTLS_ReplacesTheCertificateOnlyForAReason(t *testing.T) {
	t.Parallel()
	const same = ""
	hosts, addrs := server.Names()
	id := []byte("the key of the test")
	year := func(change func(*x509.Certificate)) func(*testing.T, *fixture) {
		template := &x509.Certificate{
			DNSNames: hosts, IPAddresses: addrs, NotBefore: day, NotAfter: day.Add(years),
			SubjectKeyId: id, AuthorityKeyId: id,
		}
		change(template)
		p := sign(t, template)
		return replace(append(p.cert, p.key...))
	}
	tests := []struct {
		name   string
		before func(*testing.T, *fixture) // before the first start
		after  func(*testing.T, *fixture)
		why    string // why it is replaced, or same
	}{
		{"nothing happened", nothing, nothing, same},
		{"eleven months passed", nothing, later(334 * 24 * time.Hour), same},
		{"it expires in 30 days", nothing, later(335 * 24 * time.Hour), "it expires soon"},
		{"the clock went back", nothing, later(-2 * time.Hour), "it is not valid yet"},
		{"the file was cut off", nothing, cut, "failed to find any"},
		{"the file has no key", nothing, replace(selfSigned(t, "localhost").cert), "found a certificate rather than a key"},
		{"another one that is right appeared", nothing, year(func(*x509.Certificate) {}), same},
		{"the names changed", nothing, year(func(c *x509.Certificate) { c.DNSNames = hosts[1:] }), "it has other names"},
		{"the addresses changed", nothing, year(func(c *x509.Certificate) { c.IPAddresses = addrs[1:] }), "it has other names"},
		{"an older release made it for 397 days", nothing,
			year(func(c *x509.Certificate) { c.NotAfter = day.Add(397 * 24 * time.Hour) }), "it lasts too long"},
		{"an older release did not name its key", nothing,
			year(func(c *x509.Certificate) { c.SubjectKeyId, c.AuthorityKeyId = nil, nil }), "it has no key identifiers"},
		{"it does not name the key that signed it", nothing,
			year(func(c *x509.Certificate) { c.AuthorityKeyId = nil }), "it has no key identifiers"},
		{"a root appeared", nothing, installed("one", 10*years), "it is not signed by mkcert's root"},
		{"the root stayed", installed("one", 10*years), nothing, same},
		{"the root changed", installed("one", 10*years), installed("one", 10*years), "it is not signed by mkcert's root"},
		{"the root is gone", installed("one", 10*years), uninstalled, same},
		{"the root is gone, and an older release signed with it", installed("one", 10*years), orphan(397 * 24 * time.Hour), same},
		{"the root lost its key", installed("one", 10*years), keyless, same},
		{"a root that cannot sign appeared", nothing, damaged, same},
		{"a root that expires appeared", nothing, installed("one", 30*24*time.Hour), same},
		{"a root that lasts little longer stayed", installed("one", 31*24*time.Hour), nothing, same},
		{"a root without a key identifier stayed", nameless, nothing, same},
		{"something that is no root appeared", nothing, impostor, same},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newLocal(t)
			tt.before(t, f)
			f.open(t)
			running := f.config
			tt.after(t, f)
			found, _ := tls.LoadX509KeyPair(f.file(), f.file()) // nil if damaged
			f.log.Reset()
			f.open(t)
			if got, want := found.Leaf == nil || !f.leaf(t).Equal(found.Leaf), tt.why != same; got != want {
				t.Errorf("made anew at the next start: %v, want %v", got, want)
			}
			reported := strings.Contains(f.log.String(), `msg="certificate made"`)
			if reported != (tt.why != same) || !strings.Contains(f.log.String(), tt.why) {
				t.Errorf("the log does not say %q:\n%s", tt.why, &f.log)
			}
			if diff := cmp.Diff(hosts, f.leaf(t).DNSNames) + cmp.Diff(len(addrs), len(f.leaf(t).IPAddresses)); diff != "" {
				t.Errorf("the names differ (-want +got):\n%s", diff)
			}
			if f.leaf(t).NotAfter.Before(f.now.Add(30 * 24 * time.Hour)) {
				t.Errorf("it expires at %v", f.leaf(t).NotAfter)
			}
			f.now = f.now.Add(3 * time.Hour) // more than the reload interval
			cert, err := running.GetCertificate(&tls.ClientHelloInfo{})
			if err != nil || !cert.Leaf.Equal(f.leaf(t)) {
				t.Errorf("the process that runs has another one than the new one, %v", err)
			}
		})
	}
}

func TestTLS_ExpiresNoLaterThanItsRoot(t *testing.T) {
	t.Parallel()
	f := newLocal(t)
	f.install(t, root(t, "one", 100*24*time.Hour))
	f.open(t)
	if got, want := f.leaf(t).NotAfter, f.root(t).NotAfter; !got.Equal(want) {
		t.Errorf("it ends at %v, its root at %v", got, want)
	}
}

func TestTLS_RenewsWhileRunning(t *testing.T) {
	t.Parallel()
	f := newLocal(t)
	f.open(t)
	first := f.leaf(t)
	f.now = f.now.Add(380 * 24 * time.Hour)
	if second := f.leaf(t); second.Equal(first) || !second.NotAfter.After(first.NotAfter) {
		t.Errorf("380 days later it still expires at %v", second.NotAfter)
	}
}

func TestTLS_AllowsProcessesThatStartTogether(t *testing.T) {
	t.Parallel()
	f := newLocal(t)
	f.install(t, root(t, "one", 10*years))
	configs := make([]*tls.Config, 8)
	var wg sync.WaitGroup
	for i := range configs {
		wg.Go(func() {
			config, _, err := server.TLS(f.Settings, func() time.Time { return day }, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Error(err)
			}
			configs[i] = config
		})
	}
	wg.Wait()
	files, err := filepath.Glob(filepath.Join(f.TLSDir, "*"))
	if diff := cmp.Diff([]string{f.file()}, files); diff != "" || err != nil {
		t.Errorf("the files differ (-want +got), %v:\n%s", err, diff)
	}
	if _, err := tls.LoadX509KeyPair(f.file(), f.file()); err != nil {
		t.Error(err)
	}
}

func TestTLS_NamesTheFolderItCannotWrite(t *testing.T) {
	t.Parallel()
	f := newLocal(t)
	write(t, f.TLSDir, []byte("a file in the folder's place"))
	_, _, err := server.TLS(f.Settings, f.clock, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "make a certificate in "+f.TLSDir) ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("TLS = %v, want one line with the folder", err)
	}
}

func TestTLS_RemovesTemporaryFiles(t *testing.T) {
	t.Parallel()
	f := newLocal(t)
	if err := os.MkdirAll(filepath.Join(f.file(), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := server.TLS(f.Settings, f.clock, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("TLS made a file where a folder is")
	}
	files, err := filepath.Glob(filepath.Join(f.TLSDir, "*"))
	if diff := cmp.Diff([]string{f.file()}, files); diff != "" || err != nil {
		t.Errorf("the files differ (-want +got), %v:\n%s", err, diff)
	}
}

func newLocal(t *testing.T) *fixture {
	t.Helper()
	dir := t.TempDir()
	return &fixture{now: day, Settings: server.Settings{
		TLSDir: filepath.Join(dir, "tls"), CARoot: filepath.Join(dir, "mkcert"),
	}}
}

// file returns the path of the stored certificate.
func (f *fixture) file() string { return filepath.Join(f.TLSDir, "gateway.pem") }

// install stores an authority as mkcert's root.
func (f *fixture) install(t *testing.T, p pair) {
	t.Helper()
	if err := os.MkdirAll(f.CARoot, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(f.CARoot, "rootCA.pem"), p.cert)
	write(t, filepath.Join(f.CARoot, "rootCA-key.pem"), p.key)
}

func (f *fixture) root(t *testing.T) *x509.Certificate {
	t.Helper()
	p, err := tls.LoadX509KeyPair(filepath.Join(f.CARoot, "rootCA.pem"), filepath.Join(f.CARoot, "rootCA-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return p.Leaf
}

func nothing(*testing.T, *fixture) {}

func later(d time.Duration) func(*testing.T, *fixture) {
	return func(_ *testing.T, f *fixture) { f.now = f.now.Add(d) }
}

func installed(name string, good time.Duration) func(*testing.T, *fixture) {
	return func(t *testing.T, f *fixture) { t.Helper(); f.install(t, root(t, name, good)) }
}

func uninstalled(t *testing.T, f *fixture) {
	t.Helper()
	if err := os.RemoveAll(f.CARoot); err != nil {
		t.Fatal(err)
	}
}

func keyless(t *testing.T, f *fixture) {
	t.Helper()
	remove(t, filepath.Join(f.CARoot, "rootCA-key.pem"))
}

// damaged installs a root with the key of another.
func damaged(t *testing.T, f *fixture) {
	t.Helper()
	f.install(t, pair{root(t, "one", 10*years).cert, root(t, "two", 10*years).key})
}

// nameless installs a root without a key identifier, which CreateCertificate would
// add.
func nameless(t *testing.T, f *fixture) {
	t.Helper()
	f.install(t, sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "one"}, KeyUsage: x509.KeyUsageCertSign,
		ExtraExtensions: []pkix.Extension{{ // basicConstraints with cA
			Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 1, 1, 0xff},
		}},
		NotBefore: day, NotAfter: day.Add(10 * years),
	}))
}

// orphan stores a certificate in the form of older releases, signed by a root that
// is gone but may still be trusted elsewhere.
func orphan(lasts time.Duration) func(*testing.T, *fixture) {
	return func(t *testing.T, f *fixture) {
		t.Helper()
		pair, err := tls.LoadX509KeyPair(filepath.Join(f.CARoot, "rootCA.pem"), filepath.Join(f.CARoot, "rootCA-key.pem"))
		if err != nil {
			t.Fatal(err)
		}
		hosts, addrs := server.Names()
		root, ok := pair.PrivateKey.(crypto.Signer)
		if !ok {
			t.Fatal("the root has no key")
		}
		p := signBy(t, pair.Leaf, root, &x509.Certificate{
			Subject: pkix.Name{CommonName: "voiceassist.local"}, DNSNames: hosts, IPAddresses: addrs,
			NotBefore: day, NotAfter: day.Add(lasts),
		}, newKey(t))
		replace(append(p.cert, p.key...))(t, f)
		uninstalled(t, f)
	}
}

// impostor installs a certificate that may not sign instead of a root.
func impostor(t *testing.T, f *fixture) {
	t.Helper()
	f.install(t, selfSigned(t, "one"))
}

func replace(text []byte) func(*testing.T, *fixture) {
	return func(t *testing.T, f *fixture) { t.Helper(); write(t, f.file(), text) }
}

// cut truncates the file to half its length.
func cut(t *testing.T, f *fixture) {
	t.Helper()
	text, err := os.ReadFile(f.file())
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.file(), text[:len(text)/2])
}
