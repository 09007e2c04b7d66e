package pemtext_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/pemtext"
)

// These are the blocks of one key of each kind, in every form.
type fixtures struct {
	ec      *ecdsa.PrivateKey
	rsa     *rsa.PrivateKey
	ed25519 ed25519.PrivateKey

	sec1, pkcs1, pkcs8, public, rsaPublic, certificate, parameters string
}

func newFixtures(t *testing.T) *fixtures {
	t.Helper()
	f := &fixtures{}
	var err1, err2, err3 error
	f.ec, err1 = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.rsa, err2 = rsa.GenerateKey(rand.Reader, 2048)
	_, f.ed25519, err3 = ed25519.GenerateKey(rand.Reader)
	sec1, err4 := x509.MarshalECPrivateKey(f.ec)
	public, err5 := x509.MarshalPKIXPublicKey(f.ec.Public())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	certificate, err6 := x509.CreateCertificate(rand.Reader, template, template, f.ec.Public(), f.ec)
	for _, err := range []error{err1, err2, err3, err4, err5, err6} {
		if err != nil {
			t.Fatal(err)
		}
	}
	f.sec1 = block("EC PRIVATE KEY", sec1)
	f.pkcs1 = block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(f.rsa))
	f.pkcs8 = pkcs8(t, f.ed25519)
	f.public = block("PUBLIC KEY", public)
	f.rsaPublic = block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&f.rsa.PublicKey))
	f.certificate = block("CERTIFICATE", certificate)
	f.parameters = block("EC PARAMETERS", []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}) // as openssl ecparam -genkey writes it
	return f
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return block("PRIVATE KEY", der)
}

type equaler interface {
	Equal(x crypto.PrivateKey) bool
}

func TestPrivateKey(t *testing.T) {
	t.Parallel()
	f := newFixtures(t)
	for _, test := range []struct {
		name, text string
		want       equaler
	}{
		{"PKCS #8", f.pkcs8, f.ed25519},
		{"SEC 1", f.sec1, f.ec},
		{"PKCS #1", f.pkcs1, f.rsa},
		{"behind its parameters", f.parameters + f.sec1, f.ec},
		{"behind a certificate", f.certificate + f.sec1, f.ec},
		{"behind a chain and parameters", f.certificate + f.certificate + f.parameters + f.sec1, f.ec},
		{"before a certificate", f.sec1 + f.certificate, f.ec},
		{"behind a public key", f.public + f.sec1, f.ec},
		{"the first of two", f.pkcs8 + f.sec1, f.ed25519},
		{"among text", "Bag Attributes\n    friendlyName: ada\nKey Attributes: <No Attributes>\n" + f.pkcs8 + "the end\n", f.ed25519},
		{"without a line break at the end", strings.TrimSpace(f.pkcs8), f.ed25519},
		{"with line breaks of Windows", strings.ReplaceAll(f.parameters+f.sec1, "\n", "\r\n"), f.ec},
		{"with a byte order mark", "\ufeff" + f.pkcs8, f.ed25519},
		{"behind a damaged certificate", strings.Replace(f.certificate, "MI", "!!", 1) + f.sec1, f.ec},
		{"under another label of private keys", strings.ReplaceAll(f.pkcs8, "PRIVATE", "ANY PRIVATE"), f.ed25519},
	} {
		got, err := pemtext.PrivateKey([]byte(test.text))
		if err != nil || !test.want.Equal(got) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestPrivateKey_NamesWhatItFoundInstead(t *testing.T) {
	t.Parallel()
	f := newFixtures(t)
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, _ := pem.Decode([]byte(f.pkcs8))
	encrypted := "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,5B01E932988DC66B\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "no PEM block"},
		{"no PEM", "hello", "no PEM block"},
		{"DER", string(der.Bytes), "no PEM block; it looks like DER, which openssl can convert"},
		{"UTF-16", "\xff\xfe-\x00-\x00", "no PEM block; the text is UTF-16, not UTF-8"},
		{"a certificate", f.certificate, "no private key, only CERTIFICATE"},
		{"a certificate and parameters", f.certificate + f.parameters, "no private key, only CERTIFICATE, EC PARAMETERS"},
		{"a public key", f.public, "no private key, only PUBLIC KEY"},
		{"a bundle", strings.Repeat(f.certificate, 200), "no private key in 200 PEM blocks"},
		{"half of a key", f.pkcs8[:60], "a damaged PEM block"},
		{"a certificate and half of a key", f.certificate + f.sec1[:60], "no private key, only CERTIFICATE, and a damaged PEM block"},
		{"an encrypted key", block("ENCRYPTED PRIVATE KEY", der.Bytes), "the private key is encrypted; openssl pkey -in FILE writes it in plain"},
		{"one of OpenSSL before", f.certificate + encrypted, "the private key is encrypted; openssl pkey -in FILE writes it in plain"},
		{"a key of OpenSSH", block("OPENSSH PRIVATE KEY", der.Bytes), "the private key has OpenSSH's format; ssh-keygen -p -m PKCS8 -f FILE changes it"},
		{"a key that signs nothing", pkcs8(t, exchange), "private key: not one that signs"},
	} {
		if key, err := pemtext.PrivateKey([]byte(test.text)); key != nil || err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	if _, err := pemtext.PrivateKey([]byte(block("PRIVATE KEY", []byte("x")))); err == nil || !strings.HasPrefix(err.Error(), "private key: ") {
		t.Errorf("a block of something else: %v", err)
	}
}

func TestPublicKey(t *testing.T) {
	t.Parallel()
	f := newFixtures(t)
	for _, test := range []struct {
		name, text string
		want       interface{ Equal(x crypto.PublicKey) bool }
	}{
		{"PKIX", f.public, &f.ec.PublicKey},
		{"PKCS #1", f.rsaPublic, &f.rsa.PublicKey},
		{"before the certificate, as openssl x509 -pubkey writes it", f.public + f.certificate, &f.ec.PublicKey},
		{"behind its private key", f.parameters + f.sec1 + f.public, &f.ec.PublicKey},
		{"with a byte order mark and line breaks of Windows", "\ufeff" + strings.ReplaceAll(f.public, "\n", "\r\n"), &f.ec.PublicKey},
	} {
		got, err := pemtext.PublicKey([]byte(test.text))
		if err != nil || !test.want.Equal(got) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "no PEM block"},
		{"two", f.public + f.rsaPublic, "2 public keys, and only one can be meant"},
		{"a certificate", f.certificate, "no public key, only CERTIFICATE; openssl x509 -pubkey -noout -in FILE writes its key"},
		{"a private key", f.sec1, "no public key, only EC PRIVATE KEY; openssl pkey -pubout -in FILE writes its public half"},
	} {
		if key, err := pemtext.PublicKey([]byte(test.text)); key != nil || err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
}

func TestAuthorities(t *testing.T) {
	t.Parallel()
	f := newFixtures(t)
	want := x509.NewCertPool()
	want.AppendCertsFromPEM([]byte(f.certificate))
	for name, text := range map[string]string{
		"a certificate":                      f.certificate,
		"behind a key":                       f.sec1 + f.certificate,
		"behind one that cannot be parsed":   block("CERTIFICATE", []byte("x")) + f.certificate,
		"with a byte order mark":             "\ufeff" + f.certificate,
		"among text, line breaks of Windows": strings.ReplaceAll("# Our CA\n"+f.certificate+"# the end\n", "\n", "\r\n"),
	} {
		if got, err := pemtext.Authorities([]byte(text)); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "no PEM block"},
		{"a key", f.sec1, "no certificate, only EC PRIVATE KEY"},
		{"half of one", f.certificate[:100], "a damaged PEM block"},
	} {
		if pool, err := pemtext.Authorities([]byte(test.text)); pool != nil || err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %s", test.name, err, test.want)
		}
	}
	if _, err := pemtext.Authorities([]byte(block("CERTIFICATE", []byte("x")))); err == nil || !strings.HasPrefix(err.Error(), "certificate: ") {
		t.Errorf("a certificate of something else: %v", err)
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	f := newFixtures(t)
	for _, text := range []string{
		f.sec1, strings.ReplaceAll(f.sec1, "\n", `\n`), strings.ReplaceAll(f.sec1, "\n", `\r\n`), strings.ReplaceAll(f.sec1, "\n", "\r\n"),
	} {
		if got, err := pemtext.PrivateKey(pemtext.Unescape(text)); err != nil || !f.ec.Equal(got) {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// FuzzPrivateKey checks that no text makes it panic and that no error is longer
// than a line or quotes what stands between the lines of a block.
func FuzzPrivateKey(f *testing.F) {
	for _, kind := range []string{"PRIVATE KEY", "EC PRIVATE KEY", "CERTIFICATE", "X"} {
		f.Add(block(kind, []byte("some bytes that are none")))
		f.Add("-----BEGIN " + kind)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, private := pemtext.PrivateKey([]byte(text))
		_, public := pemtext.PublicKey([]byte(text))
		_, roots := pemtext.Authorities([]byte(text))
		for _, err := range []error{private, public, roots} {
			if err != nil && (len(err.Error()) > 1000 || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%q", err)
			}
		}
	})
}
