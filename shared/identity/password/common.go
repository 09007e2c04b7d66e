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
// 20,000 passwords from breaches, lower-cased, by Royce Williams. Its licence
// is common/LICENSE.
//
//go:embed common/passwords.txt.gz
var commonGzip []byte

// commonList holds, once it is asked for, the common passwords that are long enough
// to get there: some 90 KB in one string, each between two newlines.
var commonList = sync.OnceValue(func() string {
	var b strings.Builder
	b.WriteByte('\n')
	unpacked, err := gzip.NewReader(bytes.NewReader(commonGzip))
	if err != nil {
		panic("password: common passwords: " + err.Error()) // they are part of the program
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

// isCommon reports whether folded is on the list. Going through all of it takes
// some microseconds, a thousandth of the hash that follows.
func isCommon(folded string) bool {
	return !strings.Contains(folded, "\n") && strings.Contains(commonList(), "\n"+folded+"\n")
}
