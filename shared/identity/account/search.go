package account

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of what is searched, so that nobody's name fills the index.
const (
	maxSearchKey   = 254 // bytes of a key; the text behind them does not count
	maxSearchWords = 8   // words of a name at which a search may begin
)

// SearchKeys returns the texts with which a search for the account may begin, in
// the form of [Fold]: its address, in U-labels and A-labels, and its name from each
// word on. After the last word, the name goes on with its first, so that the family
// name can come first. The keys are sorted and differ.
func SearchKeys(email Email, name string) []string {
	keys := []string{searchKey(string(email)), searchKey(email.ASCII())}
	name = Fold(name)
	inWord, words := false, 0
	for i, r := range name {
		before := inWord
		inWord = unicode.In(r, unicode.L, unicode.N, unicode.M)
		if (i == 0 || inWord && !before) && words < maxSearchWords {
			keys = append(keys, searchKey(name[i:]+" "+name[:i]))
			words++
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// SearchPrefix returns the prefix of the keys that a search for s finds. It is "" if
// s has no visible characters.
func SearchPrefix(s string) string { return searchKey(s) }

// searchKey returns the beginning of s in the form of [Fold], which has no space at the
// end.
func searchKey(s string) string {
	s = Fold(s)
	end := min(len(s), maxSearchKey)
	for end < len(s) && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimSuffix(s[:end], " ")
}
