package account

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	textStyle  = '\ufe0e' // variation selector 15
	emojiStyle = '\ufe0f' // variation selector 16
	joiner     = '\u200d' // ZERO WIDTH JOINER
	keycap     = "\ufe0f\u20e3"
	blackFlag  = '\U0001f3f4'
	cancelTag  = '\U000e007f'
)

// stripEmojiParts returns s without the invisible characters of emoji
// sequences: variation selectors, joiners and the tags of flags. Such
// characters outside of emoji sequences remain.
func stripEmojiParts(s string) string {
	var b strings.Builder
	for s != "" {
		n := emojiSequence(s)
		if n == 0 {
			_, n = utf8.DecodeRuneInString(s)
			b.WriteString(s[:n])
		} else {
			b.WriteString(strings.Map(func(r rune) rune {
				if isIgnorable(r) {
					return -1
				}
				return r
			}, s[:n]))
		}
		s = s[n:]
	}
	return b.String()
}

// emojiSequence returns the length in bytes of the emoji sequence (UTS 51
// section 1.4.6) at the start of s, or 0.
func emojiSequence(s string) int {
	if strings.ContainsRune("0123456789#*", firstRune(s)) && strings.HasPrefix(s[1:], keycap) {
		return 1 + len(keycap)
	}
	n := emojiElement(s)
	for n > 0 {
		rest, joined := strings.CutPrefix(s[n:], string(joiner))
		next := emojiElement(rest)
		if !joined || next == 0 {
			break
		}
		n = len(s) - len(rest) + next
	}
	return n
}

// emojiElement returns the length of one element of a joined sequence: an emoji
// with a style, a skin tone or, for the black flag, tags.
func emojiElement(s string) int {
	r := firstRune(s)
	if !unicode.Is(emoji, r) {
		return 0
	}
	n := utf8.RuneLen(r)
	switch next := firstRune(s[n:]); {
	case next == emojiStyle || next == textStyle || '\U0001f3fb' <= next && next <= '\U0001f3ff':
		n += utf8.RuneLen(next)
	case r == blackFlag:
		n += flagTags(s[n:])
	}
	return n
}

// firstRune returns the first character of s, or U+FFFD.
func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// flagTags returns the length of the tags that turn a black flag into that of a
// region such as Scotland: 3 to 6 letters and digits, and the cancel tag.
func flagTags(s string) int {
	count, n := 0, 0
	for _, r := range s {
		n += utf8.RuneLen(r)
		switch {
		case r == cancelTag && 3 <= count && count <= 6:
			return n
		case '\U000e0030' <= r && r <= '\U000e0039' || '\U000e0061' <= r && r <= '\U000e007a':
			count++
		default:
			return 0
		}
	}
	return 0
}

// emoji contains the characters beyond ASCII with the property Emoji, from
// emoji-data.txt of Unicode 15.0, the version of package unicode. It does not
// contain the letters of flags, which no selector or joiner follows.
var emoji = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x00a9, 0x00a9, 1}, {0x00ae, 0x00ae, 1}, {0x203c, 0x203c, 1}, {0x2049, 0x2049, 1}, {0x2122, 0x2122, 1},
		{0x2139, 0x2139, 1}, {0x2194, 0x2199, 1}, {0x21a9, 0x21aa, 1}, {0x231a, 0x231b, 1}, {0x2328, 0x2328, 1},
		{0x23cf, 0x23cf, 1}, {0x23e9, 0x23f3, 1}, {0x23f8, 0x23fa, 1}, {0x24c2, 0x24c2, 1}, {0x25aa, 0x25ab, 1},
		{0x25b6, 0x25b6, 1}, {0x25c0, 0x25c0, 1}, {0x25fb, 0x25fe, 1}, {0x2600, 0x2604, 1}, {0x260e, 0x260e, 1},
		{0x2611, 0x2611, 1}, {0x2614, 0x2615, 1}, {0x2618, 0x2618, 1}, {0x261d, 0x261d, 1}, {0x2620, 0x2620, 1},
		{0x2622, 0x2623, 1}, {0x2626, 0x2626, 1}, {0x262a, 0x262a, 1}, {0x262e, 0x262f, 1}, {0x2638, 0x263a, 1},
		{0x2640, 0x2640, 1}, {0x2642, 0x2642, 1}, {0x2648, 0x2653, 1}, {0x265f, 0x2660, 1}, {0x2663, 0x2663, 1},
		{0x2665, 0x2666, 1}, {0x2668, 0x2668, 1}, {0x267b, 0x267b, 1}, {0x267e, 0x267f, 1}, {0x2692, 0x2697, 1},
		{0x2699, 0x2699, 1}, {0x269b, 0x269c, 1}, {0x26a0, 0x26a1, 1}, {0x26a7, 0x26a7, 1}, {0x26aa, 0x26ab, 1},
		{0x26b0, 0x26b1, 1}, {0x26bd, 0x26be, 1}, {0x26c4, 0x26c5, 1}, {0x26c8, 0x26c8, 1}, {0x26ce, 0x26cf, 1},
		{0x26d1, 0x26d1, 1}, {0x26d3, 0x26d4, 1}, {0x26e9, 0x26ea, 1}, {0x26f0, 0x26f5, 1}, {0x26f7, 0x26fa, 1},
		{0x26fd, 0x26fd, 1}, {0x2702, 0x2702, 1}, {0x2705, 0x2705, 1}, {0x2708, 0x270d, 1}, {0x270f, 0x270f, 1},
		{0x2712, 0x2712, 1}, {0x2714, 0x2714, 1}, {0x2716, 0x2716, 1}, {0x271d, 0x271d, 1}, {0x2721, 0x2721, 1},
		{0x2728, 0x2728, 1}, {0x2733, 0x2734, 1}, {0x2744, 0x2744, 1}, {0x2747, 0x2747, 1}, {0x274c, 0x274c, 1},
		{0x274e, 0x274e, 1}, {0x2753, 0x2755, 1}, {0x2757, 0x2757, 1}, {0x2763, 0x2764, 1}, {0x2795, 0x2797, 1},
		{0x27a1, 0x27a1, 1}, {0x27b0, 0x27b0, 1}, {0x27bf, 0x27bf, 1}, {0x2934, 0x2935, 1}, {0x2b05, 0x2b07, 1},
		{0x2b1b, 0x2b1c, 1}, {0x2b50, 0x2b50, 1}, {0x2b55, 0x2b55, 1}, {0x3030, 0x3030, 1}, {0x303d, 0x303d, 1},
		{0x3297, 0x3297, 1}, {0x3299, 0x3299, 1},
	},
	R32: []unicode.Range32{
		{0x1f004, 0x1f004, 1}, {0x1f0cf, 0x1f0cf, 1}, {0x1f170, 0x1f171, 1}, {0x1f17e, 0x1f17f, 1},
		{0x1f18e, 0x1f18e, 1}, {0x1f191, 0x1f19a, 1}, {0x1f201, 0x1f202, 1},
		{0x1f21a, 0x1f21a, 1}, {0x1f22f, 0x1f22f, 1}, {0x1f232, 0x1f23a, 1}, {0x1f250, 0x1f251, 1},
		{0x1f300, 0x1f321, 1}, {0x1f324, 0x1f393, 1}, {0x1f396, 0x1f397, 1}, {0x1f399, 0x1f39b, 1},
		{0x1f39e, 0x1f3f0, 1}, {0x1f3f3, 0x1f3f5, 1}, {0x1f3f7, 0x1f4fd, 1}, {0x1f4ff, 0x1f53d, 1},
		{0x1f549, 0x1f54e, 1}, {0x1f550, 0x1f567, 1}, {0x1f56f, 0x1f570, 1}, {0x1f573, 0x1f57a, 1},
		{0x1f587, 0x1f587, 1}, {0x1f58a, 0x1f58d, 1}, {0x1f590, 0x1f590, 1}, {0x1f595, 0x1f596, 1},
		{0x1f5a4, 0x1f5a5, 1}, {0x1f5a8, 0x1f5a8, 1}, {0x1f5b1, 0x1f5b2, 1}, {0x1f5bc, 0x1f5bc, 1},
		{0x1f5c2, 0x1f5c4, 1}, {0x1f5d1, 0x1f5d3, 1}, {0x1f5dc, 0x1f5de, 1}, {0x1f5e1, 0x1f5e1, 1},
		{0x1f5e3, 0x1f5e3, 1}, {0x1f5e8, 0x1f5e8, 1}, {0x1f5ef, 0x1f5ef, 1}, {0x1f5f3, 0x1f5f3, 1},
		{0x1f5fa, 0x1f64f, 1}, {0x1f680, 0x1f6c5, 1}, {0x1f6cb, 0x1f6d2, 1}, {0x1f6d5, 0x1f6d7, 1},
		{0x1f6dc, 0x1f6e5, 1}, {0x1f6e9, 0x1f6e9, 1}, {0x1f6eb, 0x1f6ec, 1}, {0x1f6f0, 0x1f6f0, 1},
		{0x1f6f3, 0x1f6fc, 1}, {0x1f7e0, 0x1f7eb, 1}, {0x1f7f0, 0x1f7f0, 1}, {0x1f90c, 0x1f93a, 1},
		{0x1f93c, 0x1f945, 1}, {0x1f947, 0x1f9ff, 1}, {0x1fa70, 0x1fa7c, 1}, {0x1fa80, 0x1fa88, 1},
		{0x1fa90, 0x1fabd, 1}, {0x1fabf, 0x1fac5, 1}, {0x1face, 0x1fadb, 1}, {0x1fae0, 0x1fae8, 1},
		{0x1faf0, 0x1faf8, 1},
	},
	LatinOffset: 2,
}
