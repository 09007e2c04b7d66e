package keys_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/voiceassist/gateway/cmd/gateway/internal/keys"
	"github.com/voiceassist/gateway/shared/crypto/keyring"
	"github.com/voiceassist/gateway/shared/crypto/keystore"
	"github.com/voiceassist/gateway/shared/foundation/secret"
)

func TestRotator_RotatesSigningKeys(t *testing.T) {
	t.Parallel()
	s, _ := vars{"JWT_ALGORITHM": "EdDSA"}.in(t.TempDir()).load(t)
	j := newJournal(s.TokenChain())
	j.Chain.Plan.MinAge = 24 * time.Hour
	for _, step := range []struct {
		after   time.Duration // the step before
		message string
		next    time.Duration // from now; 0 for none
		changed bool
	}{
		{0, "signs from 2026-03-01T12:00:00Z on", 0, true},
		{time.Hour, "nothing to do before 2026-03-02T12:00:00Z: the signing key signs for less than 24h0m0s (--older-than)", 23 * time.Hour, false},
		{23 * time.Hour, "is published", 61 * time.Minute, true},
		{time.Hour, "verifiers may have a key set without the new signing key", time.Minute, false},
		{time.Minute, "signs from 2026-03-02T13:01:00Z on", 16*time.Minute + 10*time.Second, true},
		{time.Minute, "tokens of the signing key before may still be in use", 15*time.Minute + 10*time.Second, false},
		{16 * time.Minute, "is removed", 0, true},
	} {
		j.now = j.now.Add(step.after)
		events, before := len(j.record), read(t, s.File)
		r, err := j.Rotate(t.Context())
		if err != nil || r.Changed != step.changed || !strings.Contains(r.Message, step.message) {
			t.Errorf("at %s: %+v, %v, want %s", j.now, r, err, step.message)
		}
		if r.NextAt == nil != (step.next == 0) || step.next > 0 && !r.NextAt.Equal(j.now.Add(step.next)) {
			t.Errorf("%s: the next step is due at %v, want in %s", step.message, r.NextAt, step.next)
		}
		if changed := !cmp.Equal(read(t, s.File), before); changed != step.changed {
			t.Errorf("%s: the file has changed: %t", step.message, changed)
		}
		if step.changed && !slices.Equal(j.record[events:], []string{"audit: " + r.Message}) || !step.changed && len(j.record) > events {
			t.Errorf("%s: recorded %q", step.message, j.record[events:])
		}
	}
}

func TestRotator_ResealsBeforeItRemovesADataSecret(t *testing.T) {
	t.Parallel()
	s, _ := vars{}.in(t.TempDir()).load(t)
	before := keystore.Set{Secrets: signing(secretC), Data: signing(secretA, secretB)}
	store(t, s.File, before)
	j := newJournal(s.DataChain())
	j.now = at(8 * 24 * time.Hour)
	for _, fails := range []string{"reseal", "audit"} {
		j.fail = map[string]error{fails: errDown}
		if r, err := j.Rotate(t.Context()); !errors.Is(err, errDown) || r.Changed || !cmp.Equal(read(t, s.File), before) {
			t.Errorf("without %s: %+v, %v", fails, r, err)
		}
	}
	j.fail, j.record = nil, nil
	r, err := j.Rotate(t.Context())
	if err != nil || r.Resealed == nil || r.Sealed != 3 || !slices.Equal(j.record, []string{"reseal", "audit: " + r.Message}) {
		t.Errorf("%+v, %v: %q", r, err, j.record)
	}
	if set := read(t, s.File); !slices.Equal(texts(set.Data), []secret.String{secretB}) || !cmp.Equal(set.Secrets, before.Secrets) {
		t.Error("the new data secret is not all that is left")
	}
	expectRing(t, j, secretB, secretA)
}

// expectRing expects that the last reseal was with these secrets, current first.
func expectRing(t *testing.T, j *journal, current secret.String, others ...secret.String) {
	t.Helper()
	want, err := keyring.New(current, others...)
	if err != nil {
		t.Fatal(err)
	}
	if len(j.rings) == 0 || !cmp.Equal(j.rings[len(j.rings)-1].Derive("x").All(), want.Derive("x").All()) {
		t.Error("the values were resealed with other secrets")
	}
}

func TestRotator_KeepsTheDataSecretWhenTheSecretRotates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		vars vars
		set  keystore.Set
		want []secret.String // data secrets
	}{
		{"one secret for all", nil, keystore.Set{Secrets: signing(secretA)}, []secret.String{secretA}},
		{"two secrets", nil, keystore.Set{Secrets: signing(secretA), Data: signing(secretB)}, []secret.String{secretB}},
		{"DATA_SECRET", vars{"DATA_SECRET": secretB.Reveal()}, keystore.Set{Secrets: signing(secretA)}, nil},
	} {
		s, _ := test.vars.in(t.TempDir()).load(t)
		store(t, s.File, test.set)
		j := newJournal(s.TokenChain())
		if _, err := j.Rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		set := read(t, s.File)
		if got := texts(set.Secrets); len(got) != 2 || got[0] != secretA || !slices.Equal(texts(set.Data), test.want) {
			t.Errorf("%s: %d secrets and %d data secrets", test.name, len(got), len(set.Data))
		}
	}
}

func TestRotator_RefusesAKeyOfAnotherAlgorithm(t *testing.T) {
	t.Parallel()
	s, _ := vars{"JWT_ALGORITHM": "ES256"}.in(t.TempDir()).load(t)
	store(t, s.File, keystore.Set{Signing: signing(generated(t, "EdDSA").Text)})
	j := newJournal(s.TokenChain())
	j.now = at(48 * time.Hour)
	if _, err := j.Rotate(t.Context()); err == nil || !strings.Contains(err.Error(), "`gateway keys rotate --now`") || len(j.record) > 0 {
		t.Errorf("got %v, recorded %q", err, j.record)
	}
	if r, err := j.ReplaceLeaked(t.Context()); err != nil || !r.Changed {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestRotator_ReplacesLeakedKeys(t *testing.T) {
	t.Parallel()
	tokens, data := (*keys.Settings).TokenChain, (*keys.Settings).DataChain
	shared := keystore.Set{Secrets: signing(secretA)}
	apart := keystore.Set{Secrets: signing(secretA), Data: signing(secretB)}
	type outcome struct{ NewSecret, NewData, Resealed bool }
	for _, test := range []struct {
		name  string
		vars  vars
		chain func(*keys.Settings) keys.Chain
		set   keystore.Set
		want  outcome
		err   string
	}{
		{"the secret that serves as both", nil, tokens, shared, outcome{true, true, true}, ""},
		{"the secret beside a data secret", nil, tokens, apart, outcome{NewSecret: true}, ""},
		{"the secret beside DATA_SECRET", vars{"DATA_SECRET": "x"}, tokens, shared, outcome{NewSecret: true}, ""},
		{"the data secret", nil, data, apart, outcome{NewData: true, Resealed: true}, ""},
		{"the data secret that also signs", nil, data, shared, outcome{}, "replaces both"},
		{"the data secret beside signing keys", vars{"JWT_ALGORITHM": "EdDSA"}, data, shared, outcome{NewData: true, Resealed: true}, ""},
		{"a signing key", vars{"JWT_ALGORITHM": "EdDSA"}, tokens, shared, outcome{}, ""},
	} {
		s, _ := test.vars.in(t.TempDir()).load(t)
		store(t, s.File, test.set)
		j := newJournal(test.chain(s))
		r, err := j.ReplaceLeaked(t.Context())
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) || r.Changed || len(j.record) > 0 || !cmp.Equal(read(t, s.File), test.set) {
				t.Errorf("%s: %+v, %v, recorded %q", test.name, r, err, j.record)
			}
			continue
		}
		set := read(t, s.File)
		got := outcome{!cmp.Equal(set.Secrets, test.set.Secrets), !cmp.Equal(set.Data, test.set.Data), r.Resealed != nil}
		if err != nil || got != test.want {
			t.Errorf("%s: %+v, %v, want %+v", test.name, got, err, test.want)
		}
		if all := j.Chain.Keys(set); len(all) != 1 || !all[0].Signs.Equal(j.now) {
			t.Errorf("%s: %d keys are left", test.name, len(all))
		}
		if !strings.HasSuffix(r.Message, "; all others are refused") || r.NextAt != nil || j.record[0] != "audit: "+r.Message {
			t.Errorf("%s: %+v, recorded %q", test.name, r, j.record)
		}
		if r.Resealed != nil {
			expectRing(t, j, set.Data[0].Text, texts(append(test.set.Data, test.set.Secrets...))[0])
		}
	}
}

func TestRotator_ReportsALeakThatWasReplacedButNotResealed(t *testing.T) {
	t.Parallel()
	s, _ := vars{}.in(t.TempDir()).load(t)
	before := keystore.Set{Secrets: signing(secretA), Data: signing(secretB)}
	store(t, s.File, before)
	j := newJournal(s.DataChain())
	j.fail["audit"] = errDown
	if r, err := j.ReplaceLeaked(t.Context()); !errors.Is(err, errDown) || r.Message != "" || !cmp.Equal(read(t, s.File), before) {
		t.Errorf("without an audit event: %+v, %v", r, err)
	}
	j.fail = map[string]error{"reseal": errDown}
	if r, err := j.ReplaceLeaked(t.Context()); !errors.Is(err, errDown) || r.Message == "" || cmp.Equal(read(t, s.File), before) {
		t.Errorf("without resealing: %+v, %v", r, err)
	}
}
