package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/identity/account"
)

// TestProgress_RewritesOneLineOnATerminal runs the commands with progress on a terminal.
func TestProgress_RewritesOneLineOnATerminal(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.register(2)
	console{t, s.env}.recordEvents(account.NewID(), 201) // two batches
	for _, test := range []struct {
		args   string
		shows  []string
		stdout string
	}{
		{"nextcloud sweep --plan", []string{"1 accounts read from Nextcloud, 0 compared"}, "compared 0, "},
		{"nextcloud import", []string{"1 users read from Nextcloud", "1 of 1 users, 0 imported, 1 left out"}, "NEXTCLOUD ID  ADDRESS  RESULT\n"},
		{"nextcloud reconcile", []string{"done 0, failed 0, left 2, 0.0/s, time left unknown"}, "done 2, failed 0, left 0, "},
		{"keys reseal", []string{" events of the audit trail chained", " encrypted values checked"}, "sealed anew with the current secret: "},
		{"audit verify", []string{" events chained", " events verified"}, "ok: "},
	} {
		for _, format := range []string{"table", "json"} {
			var stdout bytes.Buffer
			args := append(strings.Fields(test.args), "--output", format)
			shown := onTerminal(t, func(tty *os.File) {
				if code := run(t.Context(), args, s.lookup, &stdout, tty); code != 0 {
					t.Errorf("%s: exit code %d, want 0", test.args, code)
				}
			})
			if format == "json" {
				if strings.Contains(shown, "\x1b") {
					t.Errorf("%s --output json shows progress: %q", test.args, shown)
				}
				continue
			}
			for _, want := range test.shows {
				if !strings.Contains(shown, want) || strings.Contains(shown, want+"\n") {
					t.Errorf("%s: got no line with %q that is rewritten in %q", test.args, want, shown)
				}
			}
			if !strings.Contains(shown, clearLine) || !strings.HasPrefix(stdout.String(), test.stdout) || strings.Contains(stdout.String(), "\x1b") {
				t.Errorf("%s: the terminal shows %q and stdout is %q, want it to begin with %q", test.args, shown, &stdout, test.stdout)
			}
		}
	}
}

func TestProgress_PrintsPeriodicLinesElsewhere(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Now()
	p := &progress{screen: newScreen(&out), now: func() time.Time { return now }, lastPlain: now}
	for i := range 25 {
		p.show("%d seconds", i)
		now = now.Add(time.Second)
	}
	p.end()
	if got := out.String(); got != "10 seconds\n20 seconds\n" {
		t.Errorf("got %q, want a line every 10 seconds", got)
	}
}

// TestProgress_StaysBelowOtherLines writes to the log while progress is shown.
func TestProgress_StaysBelowOtherLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := newScreen(&out)
	s.width = func() int { return 10 }
	s.put("a line longer than ten")
	if _, err := s.Write([]byte("log\n")); err != nil {
		t.Fatal(err)
	}
	s.put("")
	if want := clearLine + "a line lo" + clearLine + "log\n" + "a line lo" + clearLine; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}

func TestHint_IsForPeople(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	migrate := func(args ...string) (shown string) {
		return onTerminal(t, func(tty *os.File) {
			lookup := func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }
			var out bytes.Buffer
			if code := run(t.Context(), append([]string{"migrate", "up"}, args...), lookup, &out, tty); code != 0 {
				t.Errorf("exit code %d, want 0\n%s", code, &out)
			}
		})
	}
	first := migrate()
	if !strings.Contains(first, clearLine+"1 migrations applied, last 00001_") || !strings.HasSuffix(first, clearLine+"Next: start or restart the gateway: gateway serve\r\n") {
		t.Errorf("the first migrate up shows %q, want progress and a hint", first)
	}
	if got := migrate(); got != "Next: start or restart the gateway: gateway serve\r\n" {
		t.Errorf("the second migrate up shows %q, want only a hint", got)
	}
	if got := migrate("--output", "json"); got != "" {
		t.Errorf("with JSON output, migrate up shows %q, want nothing", got)
	}
	if _, problems := c.do(0, "migrate", "up"); problems != "" {
		t.Errorf("without a terminal, migrate up shows %q, want nothing", problems)
	}
}
