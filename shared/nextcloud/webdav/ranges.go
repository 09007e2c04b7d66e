package webdav

import (
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// A span is one requested range of bytes (RFC 9110 section 14.1.2).
type span struct {
	suffix bool  // the last bytes of the file, as many as the field last
	first  int64 // the first byte
	last   int64 // the last byte; math.MaxInt64 for the end of the file
}

// maxSpans limits the ranges of one request that are passed on.
const maxSpans = 16

// spans returns the ranges that a GET requests, nil for the whole file. A server may ignore
// any Range (RFC 9110 section 14.2). spans ignores units other than bytes, invalid syntax, a
// second field, an If-Range that cannot match, and ranges that could cost more than the
// file: too many, unordered or overlapping ones.
func spans(asked http.Header) (list []span) {
	values := asked.Values("Range")
	if len(values) != 1 || !validIfRange(asked.Values("If-Range")) {
		return nil
	}
	unit, set, _ := strings.Cut(values[0], "=")
	if !strings.EqualFold(unit, "bytes") {
		return nil
	}
	noBytes := false // the last 0 bytes were requested, which no file can satisfy
	next := int64(0) // lowest start of the next range; math.MaxInt64 if none may follow
	for text := range strings.SplitSeq(set, ",") {
		text = strings.Trim(text, " \t")
		if text == "" {
			continue // RFC 9110 section 5.6.1.2
		}
		s, ok := parseSpan(text)
		switch {
		case !ok || next == math.MaxInt64 || len(list) == maxSpans || !s.suffix && s.first < next:
			return nil
		case s.suffix && s.last == 0:
			noBytes = true
			continue
		case s.suffix || s.last == math.MaxInt64:
			next = math.MaxInt64
		default:
			next = s.last + 1
		}
		list = append(list, s)
	}
	if noBytes && len(list) == 0 {
		// Nextcloud would respond with an empty range, for which there is no syntax.
		// It rejects this range instead.
		return []span{{first: math.MaxInt64, last: math.MaxInt64}}
	}
	return list
}

func parseSpan(text string) (s span, ok bool) {
	first, last, dash := strings.Cut(text, "-")
	if !dash || first+last == "" || !digits(first+last) {
		return span{}, false
	}
	s = span{suffix: first == "", first: position(first), last: position(last)}
	return s, s.suffix || s.first <= s.last
}

func digits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// position parses a number of any length. It returns math.MaxInt64 for an empty text, and
// for numbers beyond the size of any file.
func position(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return n
}

// validIfRange reports whether If-Range is absent, a strong entity tag, or a date (RFC 9110
// section 13.1.5).
func validIfRange(ifRange []string) bool {
	if len(ifRange) == 0 {
		return true
	}
	_, err := http.ParseTime(ifRange[0])
	return len(ifRange) == 1 && (err == nil || strings.HasPrefix(ifRange[0], `"`))
}

// unchanged reports whether If-Range matches the description of a file. Nextcloud also
// accepts any later date.
func unchanged(ifRange string, described http.Header) bool {
	if ifRange == "" || ifRange == described.Get("Etag") {
		return true
	}
	asked, err1 := http.ParseTime(ifRange)
	modified, err2 := http.ParseTime(described.Get("Last-Modified"))
	return err1 == nil && err2 == nil && asked.Equal(modified)
}

// rangeHeader returns the value of Range for spans.
func rangeHeader(list []span) string {
	texts := make([]string, len(list))
	for i, s := range list {
		first, last := strconv.FormatInt(s.first, 10), strconv.FormatInt(s.last, 10)
		switch {
		case s.suffix:
			first = ""
		case s.last == math.MaxInt64:
			last = ""
		}
		texts[i] = first + "-" + last
	}
	return "bytes=" + strings.Join(texts, ",")
}

// in returns the bytes of s in a file of the given size.
func (s span) in(size int64) (first, last int64) {
	if s.suffix {
		return max(0, size-s.last), size - 1
	}
	return s.first, min(s.last, size-1)
}

// checkPart reports whether d, with status 206, is the requested range. It truncates a
// longer one: Nextcloud responds to bytes=0-0 with the whole file.
func (d *Download) checkPart(asked []span) (ok bool) {
	text := d.Header.Get("Content-Range")
	if len(asked) > 1 && text == "" { // each part has its own (RFC 9110 section 15.3.7.2)
		return strings.HasPrefix(d.Header.Get("Content-Type"), "multipart/byteranges;")
	}
	unit, text, _ := strings.Cut(text, " ")
	part, of, _ := strings.Cut(text, "/")
	got, ok := parseSpan(part)
	if of == "0" && d.Size == 0 { // some servers send bytes 0--1/0 for an empty file
		d.Status = http.StatusOK
		d.Header.Del("Content-Range")
		return true
	}
	size := position(of)
	length := got.last - got.first + 1
	if !ok || !strings.EqualFold(unit, "bytes") || !digits(of) || of == "" || got.suffix || got.last >= size || d.Size >= 0 && d.Size != length {
		return false
	}
	d.Size = length
	if len(asked) != 1 {
		return len(asked) > 1
	}
	first, last := asked[0].in(size)
	if got.first != first || got.last < last {
		return false
	}
	d.Size = last - first + 1
	d.Body = &truncated{io.LimitReader(d.Body, d.Size), d.Body}
	d.Header.Set("Content-Range", "bytes "+strconv.FormatInt(first, 10)+"-"+strconv.FormatInt(last, 10)+"/"+of)
	return true
}

// A truncated is the start of a body.
type truncated struct {
	io.Reader
	io.Closer
}
