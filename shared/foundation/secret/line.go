package secret

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxLine limits a secret that is read from a stream, in bytes. Passwords have at
// most 72.
const maxLine = 4 << 10

// ErrNoLine is the error of [ReadLine] if the line is empty.
var ErrNoLine = errors.New("is empty")

// ReadLine returns the first line of r as a secret. It removes the line ending of
// Unix or Windows, and a UTF-8 byte order mark, which some Windows shells prepend to
// piped text. It may read more of r than it returns. The error is [ErrNoLine], or
// describes the problem without quoting the line.
func ReadLine(r io.Reader) (String, error) {
	line, err := bufio.NewReaderSize(r, maxLine).ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("is longer than %d bytes", maxLine)
	case err != nil && !errors.Is(err, io.EOF):
		return "", err
	case bytes.HasPrefix(line, []byte{0xFF, 0xFE}), bytes.HasPrefix(line, []byte{0xFE, 0xFF}), bytes.IndexByte(line, 0) >= 0:
		return "", errors.New("is in UTF-16 or contains NUL characters; it must be UTF-8")
	case !utf8.Valid(line):
		return "", errors.New("is not UTF-8")
	}
	line = bytes.TrimPrefix(line, []byte("\uFEFF"))
	if text, ended := bytes.CutSuffix(line, []byte("\n")); ended {
		line = bytes.TrimSuffix(text, []byte("\r"))
	}
	if len(line) == 0 {
		return "", ErrNoLine
	}
	return String(line), nil
}
