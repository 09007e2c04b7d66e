package secret_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/voiceassist/gateway/shared/foundation/secret"
)

func TestReadLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, stdin, want, wrong string }{
		{"a line", "hunter2\n", "hunter2", ""},
		{"no end of the line", "hunter2", "hunter2", ""},
		{"Windows", "hunter2\r\n", "hunter2", ""},
		{"a byte order mark", "\uFEFFhunter2\r\n", "hunter2", ""},
		{"spaces are part of it", " hunter 2 \n", " hunter 2 ", ""},
		{"a carriage return that ends no line is part of it", "hunter2\r\r\n", "hunter2\r", ""},
		{"only the first line", "hunter2\nhunter3\n", "hunter2", ""},
		{"the longest", strings.Repeat("x", 4095) + "\n", strings.Repeat("x", 4095), ""},
		{"nothing", "", "", "is empty"},
		{"an empty line", "\r\nhunter2", "", "is empty"},
		{"a byte order mark and nothing", "\uFEFF\n", "", "is empty"},
		{"too long", strings.Repeat("x", 4096) + "\n", "", "is longer than 4096 bytes"},
		{"UTF-16", "\xFF\xFEh\x00u\x00\r\x00\n\x00", "", "is in UTF-16"},
		{"UTF-16 the other way round", "\xFE\xFF\x00h\x00\n", "", "is in UTF-16"},
		{"UTF-16 without a mark", "h\x00u\x00\n\x00", "", "is in UTF-16 or contains NUL characters"},
		{"Latin-1", "gr\xF6\xDFer\n", "", "is not UTF-8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := secret.ReadLine(iotest.OneByteReader(strings.NewReader(test.stdin)))
			if got.Reveal() != test.want || (err == nil) != (test.wrong == "") || err != nil && !strings.HasPrefix(err.Error(), test.wrong) {
				t.Errorf("got %q, %v; want %q, %q", got.Reveal(), err, test.want, test.wrong)
			}
		})
	}
}

// TestReadLine_DoesNotWaitForMore has a line that was typed, after which nothing
// comes and nothing ends.
func TestReadLine_DoesNotWaitForMore(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	go w.Write([]byte("hunter2\n"))
	got, err := secret.ReadLine(r)
	if got.Reveal() != "hunter2" || err != nil {
		t.Errorf("got %q, %v", got.Reveal(), err)
	}
	broken := errors.New("broken")
	if _, err := secret.ReadLine(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("got %v, want that it is broken", err)
	}
}
