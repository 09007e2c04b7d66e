package linktoken_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/foundation/secret"
	"github.com/voiceassist/gateway/shared/identity/linktoken"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func ring(t testing.TB, previous ...secret.String) *keyring.Ring {
	t.Helper()
	r, err := keyring.New("a secret of 32 bytes, at the least!", previous...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCodec_AcceptsOnlyItsTokens(t *testing.T) {
	t.Parallel()
	c := linktoken.NewCodec(ring(t))
	row := linktoken.New("", linktoken.Reset, "", "", noon)
	token := c.Encode(row.ID, linktoken.Reset, noon.Add(time.Hour))
	if id, err := c.Decode(token, linktoken.Reset, noon); err != nil || id != row.ID {
		t.Fatalf("got %s, %v, want %s", id, err, row.ID)
	}
	other, err := keyring.New("another secret of 32 bytes or more")
	if err != nil {
		t.Fatal(err)
	}
	if id, err := linktoken.NewCodec(other).Decode(token, linktoken.Reset, noon); !errors.Is(err, linktoken.ErrBad) {
		t.Errorf("with another secret: got %s, %v", id, err)
	}
	for name, decode := range map[string]func() (linktoken.ID, error){
		"another purpose": func() (linktoken.ID, error) { return c.Decode(token, linktoken.Verify, noon) },
		"expired":         func() (linktoken.ID, error) { return c.Decode(token, linktoken.Reset, noon.Add(time.Hour)) },
		"line break":      func() (linktoken.ID, error) { return c.Decode(token+"\n", linktoken.Reset, noon) },
		"empty":           func() (linktoken.ID, error) { return c.Decode("", linktoken.Reset, noon) },
	} {
		if id, err := decode(); !errors.Is(err, linktoken.ErrBad) {
			t.Errorf("%s: got %s, %v", name, id, err)
		}
	}
	for i := range token {
		forged := []byte(token)
		forged[i] = map[bool]byte{true: 'B', false: 'A'}[forged[i] == 'A']
		if id, err := c.Decode(secret.String(forged), linktoken.Reset, noon); !errors.Is(err, linktoken.ErrBad) {
			t.Errorf("character %d changed: got %s, %v", i, id, err)
		}
	}
}

func TestCodec_AcceptsTokensOfThePreviousKey(t *testing.T) {
	t.Parallel()
	const old = "the previous secret, of 32 bytes or so"
	before, err := keyring.New(old)
	if err != nil {
		t.Fatal(err)
	}
	row := linktoken.New("", linktoken.Verify, "", "", noon)
	token := linktoken.NewCodec(before).Encode(row.ID, linktoken.Verify, noon.Add(time.Hour))
	if id, err := linktoken.NewCodec(ring(t, old)).Decode(token, linktoken.Verify, noon); err != nil || id != row.ID {
		t.Errorf("got %s, %v", id, err)
	}
}

func TestCodec_HidesItsKeys(t *testing.T) {
	t.Parallel()
	if text := fmt.Sprintf("%+v", linktoken.NewCodec(ring(t))); strings.Contains(text, "0x") || text != "[link tokens]" {
		t.Errorf("got %s", text)
	}
}

func TestStateOf_DependsOnHashAndAddress(t *testing.T) {
	t.Parallel()
	state := linktoken.StateOf("hash", "ada@example.org")
	if state == linktoken.StateOf("other", "ada@example.org") || state == linktoken.StateOf("hash", "eve@example.org") {
		t.Error("another hash or address has the same state")
	}
	if strings.Contains(state, "hash") || strings.Contains(state, "ada") {
		t.Errorf("the state reveals %s", state)
	}
}
