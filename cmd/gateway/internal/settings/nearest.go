package settings

import "strings"

// Nearest returns the one of names that name is probably a misspelling of, or "".
// It ignores case.
func Nearest(name string, names []string) string {
	const part = 3 // at most a third of the characters may be wrong
	best, least := "", len(name)/part+1
	for _, candidate := range names {
		if d := distance(strings.ToUpper(name), strings.ToUpper(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance returns how many insertions, deletions, replacements and transpositions
// of adjacent characters turn a into b (optimal string alignment).
func distance(a, b string) int {
	var before []int
	above, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above[j+1]+1, row[j]+1, above[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, above, row = above, row, make([]int, len(b)+1)
	}
	return above[len(b)]
}
