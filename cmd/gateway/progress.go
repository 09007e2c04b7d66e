package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// plainInterval is the interval between lines of progress if stderr is not a terminal.
const plainInterval = 10 * time.Second

const clearLine = "\r\x1b[K"

// A screen is stderr with one line of progress, which stays below all other output.
// It is safe for concurrent use.
type screen struct {
	out   io.Writer
	width func() int // of the terminal; nil if out is not a terminal

	mu   sync.Mutex
	line string // the line of progress; "" for none
}

// newScreen returns a screen on out.
func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.width = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil || width < 2 {
				return 80
			}
			return width
		}
	}
	return s
}

// Write prints text above the line of progress.
func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" {
		return s.out.Write(text)
	}
	fmt.Fprint(s.out, clearLine)
	n, err := s.out.Write(text)
	fmt.Fprint(s.out, s.line)
	return n, err
}

// put replaces the line of progress; "" removes it.
func (s *screen) put(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line == "" && s.line == "" {
		return
	}
	if width := s.width(); utf8.RuneCountInString(line) >= width { // a line that wraps cannot be rewritten
		line = string([]rune(line)[:width-1])
	}
	if s.line = line; line == "" {
		line = clearLine
	} else {
		line = clearLine + line
	}
	fmt.Fprint(s.out, line)
}

// A progress shows the progress of a command on stderr: on a terminal as one line that
// it rewrites, otherwise as a line every [plainInterval]. It shows nothing with
// --output json. A nil progress shows nothing.
type progress struct {
	screen    *screen
	now       func() time.Time
	lastPlain time.Time // when the last line was printed, without a terminal
}

// newProgress returns the progress of c. Without a terminal, it shows the first line
// after [plainInterval].
func newProgress(c *cobra.Command) *progress {
	s, ok := c.ErrOrStderr().(*screen)
	if !ok || asJSON(c) {
		return nil
	}
	return &progress{screen: s, now: time.Now, lastPlain: time.Now()}
}

// showFirst makes p show its first line at once, and returns p.
func (p *progress) showFirst() *progress {
	if p != nil {
		p.lastPlain = time.Time{}
	}
	return p
}

// show shows the progress, in the format of [fmt.Sprintf].
func (p *progress) show(format string, args ...any) {
	switch line := fmt.Sprintf(format, args...); {
	case p == nil:
	case p.screen.width != nil:
		p.screen.put(line)
	case p.now().Sub(p.lastPlain) >= plainInterval:
		fmt.Fprintln(p.screen, line)
		p.lastPlain = p.now()
	}
}

// end removes the line of progress from the terminal.
func (p *progress) end() {
	if p != nil && p.screen.width != nil {
		p.screen.put("")
	}
}
