package endpoint_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/voiceassist/gateway/shared/audit"
	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/foundation/setting"
	"github.com/voiceassist/gateway/shared/foundation/uid"
)

// address returns the client address that a gateway behind these proxies determines.
func address(t testing.TB, trusted, remote string, forwarded ...string) string {
	t.Helper()
	env := config.Map(map[string]string{"TRUSTED_PROXIES": trusted})
	proxies := *setting.Of[endpoint.Proxies](env)
	if err := env.Err(); err != nil {
		t.Fatal(err)
	}
	var got string
	h := endpoint.New(endpoint.Settings{Log: slog.New(slog.DiscardHandler), Proxies: proxies, Now: time.Now},
		endpoint.Route{Pattern: "GET /", Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got = endpoint.Origin(r).Address
		})})
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", http.NoBody)
	r.RemoteAddr = remote
	r.Header["X-Forwarded-For"] = forwarded
	h.ServeHTTP(httptest.NewRecorder(), r)
	return got
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, trusted, remote string
		forwarded             []string
		want                  string
	}{
		{"the address of the connection", "", "192.0.2.1:5000", nil, "192.0.2.1"},
		{"IPv6", "", "[2001:db8::1]:5000", nil, "2001:db8::1"},
		{"IPv4 in IPv6", "", "[::ffff:192.0.2.1]:5000", nil, "192.0.2.1"},
		{"with a zone", "", "[fe80::1%eth0]:5000", nil, "fe80::1"},
		{"no trusted proxies", "", "192.0.2.1:5000", []string{"203.0.113.9"}, "192.0.2.1"},
		{"an untrusted peer", "10.0.0.0/8", "192.0.2.1:5000", []string{"203.0.113.9"}, "192.0.2.1"},
		{"a trusted proxy", "10.0.0.0/8", "10.1.2.3:5000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"a forged value before the proxy's", "10.0.0.0/8", "10.1.2.3:5000", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		{"a forged value in a separate header line", "10.0.0.0/8", "10.1.2.3:5000", []string{"1.1.1.1", "203.0.113.9"}, "203.0.113.9"},
		{"two trusted proxies", "10.0.0.0/8,192.0.2.7", "10.1.2.3:5000", []string{"203.0.113.9, 192.0.2.7"}, "203.0.113.9"},
		{"a hop with a port", "10.0.0.0/8", "10.1.2.3:5000", []string{"203.0.113.9:1234"}, "203.0.113.9"},
		{"a hop in brackets", "10.0.0.0/8", "10.1.2.3:5000", []string{"[2001:db8::9]:1234"}, "2001:db8::9"},
		{"garbage", "10.0.0.0/8", "10.1.2.3:5000", []string{"unknown"}, "10.1.2.3"},
		{"garbage after a hop", "10.0.0.0/8", "10.1.2.3:5000", []string{"203.0.113.9, unknown"}, "10.1.2.3"},
		{"an empty header", "10.0.0.0/8", "10.1.2.3:5000", []string{""}, "10.1.2.3"},
		{"an empty element", "10.0.0.0/8", "10.1.2.3:5000", []string{"6.6.6.6, "}, "10.1.2.3"},
		{"an empty line after a forged one", "10.0.0.0/8", "10.1.2.3:5000", []string{"6.6.6.6", ""}, "10.1.2.3"},
		{"tabs and blanks", "10.0.0.0/8", "10.1.2.3:5000", []string{"6.6.6.6 ,\t 203.0.113.9 \t"}, "203.0.113.9"},
		{"only trusted proxies", "10.0.0.0/8", "10.1.2.3:5000", []string{"10.9.9.9, 10.8.8.8"}, "10.9.9.9"},
		{"only trusted proxies, in two lines", "10.0.0.0/8", "10.1.2.3:5000", []string{"10.9.9.9", "10.8.8.8"}, "10.9.9.9"},
		{"the proxy's own address in IPv6", "10.0.0.0/8", "[::ffff:10.1.2.3]:5000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"a hop of IPv4 in IPv6", "10.0.0.0/8", "10.1.2.3:5000", []string{"6.6.6.6, ::ffff:203.0.113.9"}, "203.0.113.9"},
		{"a trusted proxy as IPv4 in IPv6", "10.0.0.0/8", "10.1.2.3:5000", []string{"203.0.113.9, ::ffff:10.4.4.4"}, "203.0.113.9"},
		{"a network of IPv4 in IPv6", "::ffff:10.0.0.0/104", "10.1.2.3:5000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"a proxy of IPv6", "fd00::/8", "[fd00::1]:5000", []string{"2001:db8::9"}, "2001:db8::9"},
		{"a hop with a zone", "10.0.0.0/8", "10.1.2.3:5000", []string{"fe80::9%eth0"}, "fe80::9"},
		{"a hop in brackets without a port", "10.0.0.0/8", "10.1.2.3:5000", []string{"[2001:db8::9]"}, "2001:db8::9"},
		{"brackets around IPv4", "10.0.0.0/8", "10.1.2.3:5000", []string{"[203.0.113.9]"}, "10.1.2.3"},
		{"an unclosed bracket", "10.0.0.0/8", "10.1.2.3:5000", []string{"[2001:db8::9"}, "10.1.2.3"},
		{"double brackets", "10.0.0.0/8", "10.1.2.3:5000", []string{"[[2001:db8::9]]"}, "10.1.2.3"},
		{"an empty port", "10.0.0.0/8", "10.1.2.3:5000", []string{"203.0.113.9:"}, "10.1.2.3"},
		{"an invalid port", "10.0.0.0/8", "10.1.2.3:5000", []string{"203.0.113.9:99999"}, "10.1.2.3"},
		{"the form of Forwarded", "10.0.0.0/8", "10.1.2.3:5000", []string{"for=203.0.113.9"}, "10.1.2.3"},
		{"in quotes", "10.0.0.0/8", "10.1.2.3:5000", []string{`"203.0.113.9"`}, "10.1.2.3"},
		{"octal", "10.0.0.0/8", "10.1.2.3:5000", []string{"0203.0.0113.9"}, "10.1.2.3"},
		{"a whole network", "10.0.0.0/8", "10.1.2.3:5000", []string{"203.0.113.0/24"}, "10.1.2.3"},
		{"a name", "10.0.0.0/8", "10.1.2.3:5000", []string{"localhost"}, "10.1.2.3"},
		{"a very long chain", "10.0.0.0/8", "10.1.2.3:5000", []string{"203.0.113.9" + strings.Repeat(", 10.1.1.1", 10_000)}, "10.1.1.1"},
		{"no address", "10.0.0.0/8", "@", []string{"203.0.113.9"}, "invalid IP"},
	} {
		if got := address(t, test.trusted, test.remote, test.forwarded...); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestReadProxies_RejectsInvalidNetworks(t *testing.T) {
	t.Parallel()
	for _, item := range []string{
		"proxy.example.org", "10.0.0.0/99", "10.0.0.0/", "10.0.0.1-10.0.0.9", "*",
		"0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "2000::/3", "::ffff:0.0.0.0/96", "::ffff:0:0/95", "::ffff:10.0.0.0/97", "8.0.0.0/7",
	} {
		env := config.Map(map[string]string{"TRUSTED_PROXIES": "10.0.0.0/8, " + item})
		setting.Of[endpoint.Proxies](env)
		if err := env.Err(); err == nil || !strings.HasPrefix(err.Error(), `TRUSTED_PROXIES is "`+item+`"; it must be `) {
			t.Errorf("%s: %v", item, err)
		}
	}
	env := config.Map(map[string]string{"TRUSTED_PROXIES": "10.0.0.0/8,fc00::/7,192.0.2.7,2001:db8::1,::ffff:10.0.0.0/104,fe80::1%eth0"})
	if proxies := *setting.Of[endpoint.Proxies](env); env.Err() != nil || len(proxies) != 6 {
		t.Errorf("got %v, %v", proxies, env.Err())
	}
}

// FuzzForwardedFor checks the client address. Without a proxy, no header changes it. With
// proxies it is the proxy's address, or a hop with only trusted proxies to its right.
// Everything that a client can write is to the left of the hop that the first proxy wrote,
// which is the client's real address.
func FuzzForwardedFor(f *testing.F) {
	f.Add("203.0.113.9")
	f.Add("a, b,, [::1]:9, 10.0.0.1")
	f.Add("6.6.6.6, ::ffff:10.0.0.1, [fd00::1]:80,")
	f.Add("10.0.0.1, unknown, 10.0.0.2\t, for=1.1.1.1")
	const proxies, proxy = "10.0.0.0/8,fd00::/8", "10.1.2.3"
	trusted := func(a netip.Addr) bool {
		return netip.MustParsePrefix("10.0.0.0/8").Contains(a) || netip.MustParsePrefix("fd00::/8").Contains(a)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		if got := address(t, "", "192.0.2.1:5000", sent); got != "192.0.2.1" {
			t.Errorf("%q changed the address to %s", sent, got)
		}
		if got := address(t, proxies, "192.0.2.1:5000", sent); got != "192.0.2.1" {
			t.Errorf("%q from an untrusted peer changed the address to %s", sent, got)
		}
		// The client sends, the proxy appends the address it sees.
		for _, real := range []string{"203.0.113.9", "2001:db8::9"} {
			for _, lines := range [][]string{{sent + ", " + real}, {sent, real}} {
				if got := address(t, proxies, proxy+":5000", lines...); got != real {
					t.Errorf("%q of a client at %s changed the address to %s", sent, real, got)
				}
			}
		}
		// Whatever a proxy passes on: the address has only trusted proxies to its right.
		got, err := netip.ParseAddr(address(t, proxies, proxy+":5000", sent))
		if err != nil {
			t.Fatalf("%q: %v", sent, err)
		}
		right := strings.Split(sent, ",")
		for i := len(right) - 1; i >= 0 && got.String() != proxy; i-- {
			text := strings.Trim(right[i], " \t")
			hop, err := netip.ParseAddr(text)
			if with, bad := netip.ParseAddrPort(text); bad == nil {
				hop, err = with.Addr(), nil
			} else if err != nil {
				hop, err = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
			}
			if hop = hop.Unmap().WithZone(""); err == nil && hop == got {
				break
			}
			if err != nil || !trusted(hop) {
				t.Errorf("%q changed the address to %s, but %q is right of it", sent, got, text)
				break
			}
		}
	})
}

type rows struct{ endpoint.PageQuery }

// Bind reads the page and q, which does nothing.
func (q *rows) Bind(r *http.Request) error {
	err := q.PageQuery.Bind(r)
	q.Param("q")
	return err
}

// pages serves n rows, newest first, by cursor or by skip.
func pages(n int) http.Handler {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = uid.New()
	}
	return endpoint.New(endpoint.Settings{Log: slog.New(slog.DiscardHandler), Now: time.Now}, endpoint.Route{
		Pattern: "GET /rows",
		Handler: endpoint.JSON(http.StatusOK, func(_ context.Context, _ audit.Origin, q rows) (endpoint.List, error) {
			var page []string
			for i := len(ids) - 1; i >= 0 && len(page) <= q.Limit; i-- {
				if q.Before == "" && i < len(ids)-q.Skip || q.Before != "" && ids[i] < q.Before {
					page = append(page, ids[i])
				}
			}
			same := func(s string) string { return s }
			return endpoint.NewList(q.PageQuery, page, same, same)
		}),
	})
}

func TestList_LinksLeadThroughAllPages(t *testing.T) {
	t.Parallel()
	h := pages(5)
	var all []string
	var sizes []int
	for next := "/rows?limit=2&skip=0&q=a%20b"; next != ""; {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", next, http.NoBody))
		var page []string
		if err := json.Unmarshal(rec.Body.Bytes(), &page); err != nil {
			t.Fatalf("%v in %s", err, rec.Body)
		}
		all, sizes = append(all, page...), append(sizes, len(page))
		link := rec.Header().Get("Link")
		next, _ = strings.CutSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
		if next != "" && (!strings.Contains(next, "q=a+b") || strings.Contains(next, "skip")) {
			t.Errorf("got link %s", link)
		}
	}
	if fmt.Sprint(sizes) != "[2 2 1]" || len(all) != 5 {
		t.Errorf("got pages of %v items", sizes)
	}
	for i := 1; i < len(all); i++ {
		if all[i] >= all[i-1] {
			t.Errorf("row %d is out of order", i)
		}
	}
}

func TestList_EmptyIsAnEmptyArray(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	pages(0).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/rows", http.NoBody))
	if rec.Body.String() != "[]\n" || rec.Header().Get("Link") != "" {
		t.Errorf("got %q, %v", rec.Body, rec.Header())
	}
}

// FuzzDecode checks that a body is either rejected with a problem or decoded as encoding/json
// decodes it.
func FuzzDecode(f *testing.F) {
	f.Add(`{"name":"a","count":1,"maybe":null,"any":[{"a":1}]}`)
	f.Add(`{"name":"a","name":"b"}`)
	f.Add("")
	f.Add("{\"any\":{\"\\ud800\":\"\xff\"}}")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/things", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		newFuzzRig.ServeHTTP(rec, r)
		var want struct{ Name string }
		var err error
		if body != "" { // an empty body is no body
			err = json.Unmarshal([]byte(body), &want)
		}
		var got struct{ Name string }
		if rec.Code == http.StatusCreated && (err != nil || json.Unmarshal(rec.Body.Bytes(), &got) != nil || got != want) {
			t.Errorf("%q decodes to %s; encoding/json: %+v, %v", body, rec.Body, want, err)
		}
		if rec.Code != http.StatusCreated && rec.Code/100 != 4 {
			t.Errorf("%q: %d %s", body, rec.Code, rec.Body)
		}
	})
}

var newFuzzRig = endpoint.New(endpoint.Settings{Log: slog.New(slog.DiscardHandler), Now: time.Now}, endpoint.Route{
	Pattern: "POST /things",
	Handler: endpoint.JSON(http.StatusCreated, func(_ context.Context, _ audit.Origin, q thing) (echo, error) { return echo{Name: q.Name}, nil }),
})
