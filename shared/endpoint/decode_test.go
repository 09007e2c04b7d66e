package endpoint_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/fault"
)

// maxProblem is the maximum size of a rejection in bytes: 20 errors, each with a field name,
// and a path.
const maxProblem = 16 << 10

const formType = "application/x-www-form-urlencoded"

// many returns a JSON object and a form, each of at most 1 MiB, with as many unknown members
// as fit.
func many() (object, form string) {
	var o, f strings.Builder
	o.WriteString(`{"U":0`)
	f.WriteString("U=")
	for i := 0; o.Len() < endpoint.MaxBody-20; i++ {
		fmt.Fprintf(&o, `,"%s":0`, strconv.FormatInt(int64(i), 36))
	}
	for i := 0; f.Len() < endpoint.MaxBody-20; i++ {
		f.WriteString("&" + strconv.FormatInt(int64(i), 36) + "=")
	}
	o.WriteString("}")
	return o.String(), f.String()
}

type refusal struct {
	Errors    []fault.Field `json:"errors"`
	Truncated bool          `json:"truncated"`
	Instance  string        `json:"instance"`
}

func refusalOf(t *testing.T, rec *httptest.ResponseRecorder) refusal {
	t.Helper()
	var p refusal
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Code != http.StatusUnprocessableEntity {
		t.Fatalf("%d %.300s, %v", rec.Code, rec.Body, err)
	}
	return p
}

func TestErrors_AtMostTwenty(t *testing.T) {
	t.Parallel()
	object, form := many()
	twenty := `{"0":0`
	for i := range 19 {
		twenty += fmt.Sprintf(`,"%d":0`, i+1)
	}
	for _, test := range []struct {
		name, contentType, body string
		truncated               bool
	}{
		{"20 members", "application/json", twenty + "}", false},
		{"21 members", "application/json", twenty + `,"20":0}`, true},
		{"a whole body of members", "application/json", object, true},
		{"a whole body of fields", formType, form, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rec := newRig(t).do(t, "POST", "/things", test.body, "Content-Type: "+test.contentType)
			p := refusalOf(t, rec)
			if len(p.Errors) != 20 || p.Truncated != test.truncated || rec.Body.Len() > maxProblem {
				t.Errorf("got %d errors, truncated = %t, in %d bytes", len(p.Errors), p.Truncated, rec.Body.Len())
			}
		})
	}
}

// TestErrors_NamesAreTruncated sends names of 40 KB each, with the characters that need the
// most room in a response.
func TestErrors_NamesAreTruncated(t *testing.T) {
	t.Parallel()
	var o, f []string
	for i := range 20 {
		long := fmt.Sprintf("%02d", i) + strings.Repeat("ü\x01", 5_000)
		quoted, _ := json.Marshal(long)
		o = append(o, string(quoted)+":0")
		f = append(f, url.QueryEscape(long[:10_000])+"=")
	}
	for contentType, body := range map[string]string{
		"application/json": "{" + strings.Join(o, ",") + "}", formType: strings.Join(f, "&"),
	} {
		rec := newRig(t).do(t, "POST", "/things", body, "Content-Type: "+contentType)
		p := refusalOf(t, rec)
		if len(p.Errors) != 20 || rec.Body.Len() > maxProblem {
			t.Fatalf("%s: got %d errors in %d bytes", contentType, len(p.Errors), rec.Body.Len())
		}
		for _, e := range p.Errors {
			if name, cut := strings.CutSuffix(e.Field, "…"); !cut || strings.ContainsRune(name, '\ufffd') || len(name) > 64 || len(name) < 60 {
				t.Errorf("%s: got name %.100q", contentType, e.Field)
			}
		}
	}
}

func TestProblem_InstanceIsTruncated(t *testing.T) {
	t.Parallel()
	rec := newRig(t).do(t, "GET", "/"+strings.Repeat("%C3%BC", 5000), "")
	if code(t, rec) != "not_found" {
		t.Errorf("got %d", rec.Code)
	}
	var p refusal
	if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	path, err := url.PathUnescape(p.Instance)
	if err != nil || rec.Body.Len() > maxProblem || strings.Trim(path[1:], "ü") != "" || len(p.Instance) < 900 {
		t.Errorf("got an instance of %d bytes, %v", len(p.Instance), err)
	}
}

// TestMethods_UnknownAreNotRecorded sends invented methods, also to a route for all methods,
// such as the redirect to HTTPS.
func TestMethods_UnknownAreNotRecorded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	seen := map[string]bool{}
	h := endpoint.New(endpoint.Settings{
		Log: slog.New(slog.NewJSONHandler(&log, nil)), Now: time.Now,
		Observe: func(_ context.Context, e endpoint.Event) { seen[e.Method+" "+e.Route] = true },
	}, endpoint.Route{Pattern: "/", Handler: endpoint.Raw(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusNoContent)
		return nil
	})})
	for i := range 50 {
		r := httptest.NewRequestWithContext(t.Context(), strings.Repeat("M", 1000)+strconv.Itoa(i), "/", http.NoBody)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if len(seen) != 1 || !seen["other /"] || strings.Contains(log.String(), "MMM") {
		t.Errorf("got %d series and a log of %d bytes", len(seen), log.Len())
	}
}

// TestDecode_LoneSurrogates checks RFC 7493 section 2.1: encoding/json would replace them with
// U+FFFD, so that different strings became equal.
func TestDecode_LoneSurrogates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		body   string
		status int
	}{
		{`{"name":"\ud800"}`, 400},
		{`{"name":"\udfff"}`, 400},
		{`{"name":"a\uD83Db"}`, 400},
		{`{"name":"\ud83d\ud83d\ude00"}`, 400},
		{`{"name":"\ude00\ud83d"}`, 400},
		{`{"name":"\ud83d\\ude00"}`, 400},
		{`{"name":"\ud83d\n"}`, 400},
		{`{"name":"\ud83d\u0041"}`, 400},
		{`{"secret":"correct horse\udbff"}`, 400},
		{`{"any":{"a":["\ud800"]}}`, 400},
		{`{"any":{"\ud800":1}}`, 400},
		{`{"\ud800":1}`, 400},
		{`{"na\udc00me":"a"}`, 400},
		{`{"nome":"\udc00"}`, 400}, // rather than an unknown field
		{`{"name":"\ud83d\ude00"}`, 201},
		{`{"name":"\uD83D\uDE00 \uDBFF\uDFFF"}`, 201},
		{`{"name":"\ud7ff\ue000\uffff"}`, 201},
		{`{"name":"\\ud800"}`, 201}, // six characters
		{`{"name":"\\\\ud800 \"\\udc00"}`, 201},
		{`{"any":{"\ud83d\ude00":"\ud83d\ude00"}}`, 201},
		{"{\"name\":\"\xed\xa0\x80\"}", 400}, // as bytes, which is not UTF-8 (RFC 3629 section 3)
	} {
		rec := newRig(t).do(t, "POST", "/things", test.body)
		if rec.Code != test.status || rec.Code >= 400 && code(t, rec) != "malformed_json" {
			t.Errorf("%s: got %d %.300s, want %d", test.body, rec.Code, rec.Body, test.status)
		}
	}
	rec := newRig(t).do(t, "POST", "/things", "name=%ED%A0%80", "Content-Type: "+formType)
	if p := refusalOf(t, rec); len(p.Errors) != 1 || p.Errors[0].Code != "invalid_utf8" {
		t.Errorf("form: got %s", rec.Body)
	}
}

// TestDecode_ContentCodings checks RFC 9110 sections 12.5.3 and 15.5.16: an encoded body is
// rejected, and the response lists the accepted codings.
func TestDecode_ContentCodings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		coding, contentType, body string
		status                    int
	}{
		{"gzip", "application/json", "\x1f\x8b\x08\x00", 415},
		{"gzip", "application/json", `{"name":"a"}`, 415},
		{"GZIP", formType, "name=a", 415},
		{"x-gzip", "application/json", `{}`, 415},
		{"deflate", "application/json", `{}`, 415},
		{"br", "application/json", `{}`, 415},
		{"zstd", "application/json", `{}`, 415},
		{"compress", formType, "name=a", 415},
		{"identity, gzip", "application/json", `{}`, 415},
		{"gzip, identity", "application/json", `{}`, 415},
		{"aes128gcm", "text/plain", `{}`, 415},
		{"nonsense", "application/json", `{}`, 415},
		{"identity", "application/json", `{"name":"a"}`, 201},
		{"Identity", formType, "name=a", 201},
		{" , identity,", "application/json", `{"name":"a"}`, 201},
		{"", "application/json", `{"name":"a"}`, 201},
		{"gzip", "", "", 201}, // there is no body
	} {
		rec := newRig(t).do(t, "POST", "/things", test.body, "Content-Type: "+test.contentType, "Content-Encoding: "+test.coding)
		if rec.Code != test.status {
			t.Errorf("%q of %s: got %d %s, want %d", test.coding, test.contentType, rec.Code, rec.Body, test.status)
		}
		if refused := test.status == 415; refused && (code(t, rec) != "unsupported_encoding" || rec.Header().Get("Accept-Encoding") != "identity") {
			t.Errorf("%q of %s: got %v %s", test.coding, test.contentType, rec.Header(), rec.Body)
		}
	}
	if rec := newRig(t).do(t, "POST", "/things", "x", "Content-Type: text/plain"); rec.Header().Get("Accept-Encoding") != "" {
		t.Errorf("another media type: got %v", rec.Header())
	}
}

type hostileBody struct {
	contentType, body string
	status            int
}

// hostile returns bodies of 1 MiB that are expensive to decode.
func hostile() map[string]hostileBody {
	object, form := many()
	fill := func(head, part, tail string) string {
		return head + strings.Repeat(part, (endpoint.MaxBody-len(head)-len(tail)-1)/len(part)) + tail
	}
	var nested strings.Builder
	nested.WriteString(`{"any":`)
	for range 90 {
		nested.WriteString(`{"X":0`)
		for j := range 1200 {
			fmt.Fprintf(&nested, `,"%s":0`, strconv.FormatInt(int64(j), 36))
		}
		nested.WriteString(`,"Y":`)
	}
	nested.WriteString("0" + strings.Repeat("}", 91))
	return map[string]hostileBody{
		"unknown members":        {"application/json", object, 422},
		"unknown fields":         {formType, form, 422},
		"one field, many times":  {formType, fill("name=a", "&name=a", ""), 422},
		"members inside":         {"application/json", `{"any":` + object[:strings.LastIndexByte(object[:len(object)-20], ',')] + "}}", 413},
		"members in many levels": {"application/json", nested.String(), 413},
		"empty objects":          {"application/json", fill(`{"any":[{}`, ",{}", "]}"), 201},
		"small objects":          {"application/json", fill(`{"any":[{"a":0}`, `,{"a":0}`, "]}"), 413},
		"numbers":                {"application/json", fill(`{"any":[0`, ",0", "]}"), 201},
		"escaped names":          {"application/json", fill(`{"any":[{"a":0}`, `,{"\u0061":0}`, "]}"), 413},
		"escapes":                {"application/json", fill(`{"name":"`, `\n`, `"}`), 201},
		"pairs":                  {"application/json", fill(`{"name":"`, `\ud83d\ude00`, `"}`), 201},
		"quotes":                 {"application/json", fill(`{"name":"`, `\"`, `"}`), 201},
		"open arrays":            {"application/json", fill(`{"any":`, "[", "}"), 400},
	}
}

// TestDecode_MemoryIsBounded counts all allocations of one request with a hostile body of 1
// MiB; less is in use at a time. It is not parallel because it counts the allocations of the
// process.
func TestDecode_MemoryIsBounded(t *testing.T) {
	const most = 32 * endpoint.MaxBody // about 15, but more with the race detector, which drains pools
	r := newRig(t)
	for name, h := range hostile() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rec := r.do(t, "POST", "/things", h.body, "Content-Type: "+h.contentType)
		runtime.ReadMemStats(&after)
		used := after.TotalAlloc - before.TotalAlloc
		t.Logf("%-22s %7d bytes: %d, %5.1f MiB", name, len(h.body), rec.Code, float64(used)/(1<<20))
		if used > most || rec.Code != h.status || len(h.body) > endpoint.MaxBody {
			t.Errorf("%s: body of %d bytes: got %d, want %d; allocated %d bytes", name, len(h.body), rec.Code, h.status, used)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	login := `{"email":"ada@example.org","password":"correct horse battery staple"}`
	login = strings.NewReplacer("email", "name", "password", "secret").Replace(login)
	turn := `{"role":"user","text":"What is the weather like in Z\u00fcrich today? \ud83c\udf26","at":1772366400123,"final":true},`
	for name, body := range map[string]string{
		"login":     login,
		"context64": `{"name":"Weather","any":{"turns":[` + strings.TrimSuffix(strings.Repeat(turn, (60<<10)/len(turn)), ",") + `]}}`,
	} {
		b.Run(name, func(b *testing.B) {
			h := newFuzzRig
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), "POST", "/things", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/json")
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r)
				if rec.Code != http.StatusCreated {
					b.Fatal(rec.Body)
				}
			}
		})
	}
}
