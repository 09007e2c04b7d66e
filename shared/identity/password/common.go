package password

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"strings"
	"sync"
)

// commonGzip is the list of Django's django.contrib.auth.password_validation:
// 20,000 passwords from breaches, in lower case, by Royce Williams. Its licence
// is common/LICENSE.
//
//go:embed common/passwords.txt.gz
var commonGzip []byte

// commonList returns the common passwords that are long enough to be accepted
// otherwise: about 90 KB in one string, each between two newlines. It unpacks
// them at the first call.
var commonList = sync.OnceValue(func() string {
	var b strings.Builder
	b.WriteByte('\n')
	unpacked, err := gzip.NewReader(bytes.NewReader(commonGzip))
	if err != nil {
		panic("password: common passwords: " + err.Error()) // the list is part of the program
	}
	lines := bufio.NewScanner(unpacked)
	for lines.Scan() {
		if len(lines.Bytes()) >= MinBytes {
			b.Write(lines.Bytes())
			b.WriteByte('\n')
		}
	}
	if err := lines.Err(); err != nil {
		panic("password: common passwords: " + err.Error())
	}
	return b.String()
})

// isCommon reports whether a folded password is on the list. A search of the
// whole list takes a few microseconds, a thousandth of the time of the hash
// that follows.
func isCommon(folded string) bool {
	return !strings.Contains(folded, "\n") && strings.Contains(commonList(), "\n"+folded+"\n")
}
