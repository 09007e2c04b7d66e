package test_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/voiceassist/gateway/shared/crypto/keyring"
)

// TestKill_LosesNoAcknowledgedWrite kills the gateway with SIGKILL while clients write, and
// checks after the restart that every answered write is there.
func TestKill_LosesNoAcknowledgedWrite(t *testing.T) {
	t.Parallel()
	for engine, url := range map[string]func(t *testing.T) []string{
		"sqlite":   func(*testing.T) []string { return nil },
		"postgres": func(t *testing.T) []string { t.Helper(); return []string{"DATABASE_URL=" + database(t)} },
	} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			env := append(url(t), "JWT_SECRET="+keyring.Generate().Reveal())
			for round := range 3 {
				killWhileWriting(t, dir, env, round)
			}
		})
	}
}

// written holds the writes that the gateway confirmed to a client.
type written struct {
	email    string
	access   string
	refresh  string
	sessions []string // Locations
	title    string   // the last confirmed title of the first session
}

func killWhileWriting(t *testing.T, dir string, env []string, round int) {
	t.Helper()
	const writers, enough = 4, 25 // confirmed writes of one client before the kill
	p := start(t, dir, nil, env...)
	clients := make([]written, writers)
	reached := make(chan struct{}, writers)
	var wg sync.WaitGroup
	for i := range clients {
		clients[i].email = fmt.Sprintf("writer%d.%d@example.com", round, i)
		wg.Go(func() { write(p, &clients[i], enough, reached) })
	}
	gaveUp := make(chan struct{})
	go func() { wg.Wait(); close(gaveUp) }()
	select {
	case <-reached:
	case <-gaveUp:
		t.Fatal("all clients stopped before the kill")
	}
	p.kill() // while the others are writing
	<-gaveUp

	p = start(t, dir, nil, env...)
	for i := range clients {
		verify(t, p, &clients[i])
	}
	if code := p.stop(t); code != 0 {
		t.Errorf("after SIGTERM the gateway exited with %d, want 0", code)
	}
}

// write registers, logs in and writes until the gateway is gone. It records only confirmed
// writes.
func write(p *process, w *written, enough int, reached chan<- struct{}) {
	account := fmt.Sprintf(`{"email":%q,"password":"correct horse battery staple"}`, w.email)
	if !call(p, "POST", "/api/auth/register", "", account, nil) {
		w.email = ""
		return
	}
	var pair struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if !call(p, "POST", "/api/auth/login", "", account, &pair) {
		return
	}
	w.access, w.refresh = pair.Access, pair.Refresh
	for n := 0; ; n++ {
		var s struct{ ID, Title string }
		if !call(p, "POST", "/api/sessions", w.access, fmt.Sprintf(`{"title":"%d"}`, n), &s) {
			return
		}
		w.sessions = append(w.sessions, "/api/sessions/"+s.ID)
		if !call(p, "PATCH", w.sessions[0], w.access, fmt.Sprintf(`{"title":"changed %d"}`, n), &s) {
			w.title = "" // the client does not know whether the change was kept
			return
		}
		w.title = s.Title
		if !call(p, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, w.refresh), &pair) {
			return // the response was lost, or the change never made: the current token must still work
		}
		w.access, w.refresh = pair.Access, pair.Refresh
		if n == enough {
			reached <- struct{}{}
		}
	}
}

// call reports whether the request succeeded.
func call(p *process, method, path, access, body string, into any) bool {
	r, err := http.NewRequest(method, p.https+path, strings.NewReader(body))
	if err != nil {
		return false
	}
	r.Header.Set("Content-Type", "application/json")
	if access != "" {
		r.Header.Set("Authorization", "Bearer "+access)
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return err == nil && resp.StatusCode < 300 && (into == nil || json.Unmarshal(text, into) == nil)
}

// verify checks that everything confirmed to the client is there.
func verify(t *testing.T, p *process, w *written) {
	t.Helper()
	if w.email == "" {
		return // not even the registration was confirmed
	}
	login := fmt.Sprintf(`{"email":%q,"password":"correct horse battery staple"}`, w.email)
	if !call(p, "POST", "/api/auth/login", "", login, nil) {
		t.Errorf("%s registered, and cannot log in", w.email)
	}
	if w.access == "" {
		return
	}
	for _, at := range w.sessions {
		if !call(p, "GET", at, w.access, "", nil) {
			t.Errorf("%s of %s was confirmed and is lost", at, w.email)
		}
	}
	var first struct{ Title string }
	if w.title != "" && (!call(p, "GET", w.sessions[0], w.access, "", &first) || first.Title != w.title) {
		t.Errorf("session %s has the title %q, want the confirmed %q", w.sessions[0], first.Title, w.title)
	}
	if !call(p, "POST", "/api/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q}`, w.refresh), nil) {
		t.Errorf("the refresh token of %s does not work after the restart", w.email)
	}
}
