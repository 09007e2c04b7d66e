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

	"github.com/voiceassist/gateway/shared/config"
	"github.com/voiceassist/gateway/shared/endpoint"
	"github.com/voiceassist/gateway/shared/uid"
)

// address returns where a gateway behind those proxies says that a request
// comes from.
func address(t testing.TB, trusted, remote string, forwarded ...string) string {
	t.Helper()
	env := config.Map(map[string]string{"TRUSTED_PROXIES": trusted})
	proxies := endpoint.ReadProxies(env)
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
		{"the connection's", "", "192.0.2.1:5000", nil, "192.0.2.1"},
		{"IPv6", "", "[2001:db8::1]:5000", nil, "2001:db8::1"},
		{"IPv4 in IPv6", "", "[::ffff:192.0.2.1]:5000", nil, "192.0.2.1"},
		{"with a zone", "", "[fe80::1%eth0]:5000", nil, "fe80::1"},
		{"nobody is believed", "", "192.0.2.1:5000", []string{"203.0.113.9"}, "192.0.2.1"},
		{"a stranger is not believed", "10.0.0.0/8", "192.0.2.1:5000", []string{"203.0.113.9"}, "192.0.2.1"},
		{"our proxy is", "10.0.0.0/8", "10.1.2.3:5000", []string{"203.0.113.9"}, "203.0.113.9"},
		{"what the client invented is not", "10.0.0.0/8", "10.1.2.3:5000", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		{"nor in a header line of its own", "10.0.0.0/8", "10.1.2.3:5000", []string{"1.1.1.1", "203.0.113.9"}, "203.0.113.9"},
		{"through two of our proxies", "10.0.0.0/8,192.0.2.7", "10.1.2.3:5000", []string{"203.0.113.9, 192.0.2.7"}, "203.0.113.9"},
		{"a hop with a port", "10.0.0.0/8", "10.1.2.3:5000", []string{"203.0.113.9:1234"}, "203.0.113.9"},
		{"a hop in brackets", "10.0.0.0/8", "10.1.2.3:5000", []string{"[2001:db8::9]:1234"}, "2001:db8::9"},
		{"garbage", "10.0.0.0/8", "10.1.2.3:5000", []string{"unknown"}, "10.1.2.3"},
		{"garbage behind a hop", "10.0.0.0/8", "10.1.2.3:5000", []string{"203.0.113.9, unknown"}, "10.1.2.3"},
		{"an empty header", "10.0.0.0/8", "10.1.2.3:5000", []string{""}, "10.1.2.3"},
	} {
		if got := address(t, test.trusted, test.remote, test.forwarded...); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestReadProxies_RefusesWhatIsNoNetwork(t *testing.T) {
	t.Parallel()
	env := config.Map(map[string]string{"TRUSTED_PROXIES": "10.0.0.0/8, proxy.example.org, 10.0.0.0/99"})
	endpoint.ReadProxies(env)
	if got := strings.Count(env.Err().Error(), "TRUSTED_PROXIES is"); got != 2 {
		t.Errorf("%d mistakes were found, want 2: %v", got, env.Err())
	}
}

// FuzzAddress holds that behind no proxy nothing a client writes changes its
// address, and behind one the address is always an address.
func FuzzAddress(f *testing.F) {
	f.Add("203.0.113.9")
	f.Add("a, b,, [::1]:9, 10.0.0.1")
	f.Fuzz(func(t *testing.T, forwarded string) {
		if got := address(t, "", "192.0.2.1:5000", forwarded); got != "192.0.2.1" {
			t.Errorf("%q made the address %s", forwarded, got)
		}
		if _, err := netip.ParseAddr(address(t, "0.0.0.0/0", "192.0.2.1:5000", forwarded)); err != nil {
			t.Errorf("%q: %v", forwarded, err)
		}
	})
}

type rows struct{ endpoint.PageQuery }

// pages serves n rows, newest first, by cursor or by skip.
func pages(n int) http.Handler {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = uid.New()
	}
	return endpoint.New(endpoint.Settings{Log: slog.New(slog.DiscardHandler), Now: time.Now}, endpoint.Route{
		Pattern: "GET /rows",
		Handler: endpoint.JSON(http.StatusOK, func(_ context.Context, q rows) (endpoint.List[string], error) {
			var page []string
			for i := len(ids) - 1; i >= 0 && len(page) <= q.Limit; i-- {
				if q.Before == "" && i < len(ids)-q.Skip || q.Before != "" && ids[i] < q.Before {
					page = append(page, ids[i])
				}
			}
			same := func(s string) string { return s }
			return endpoint.PageOf(q.PageQuery, page, same, same), nil
		}),
	})
}

func TestList_IsWalkedByItsLinks(t *testing.T) {
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
			t.Errorf("the link is %s", link)
		}
	}
	if fmt.Sprint(sizes) != "[2 2 1]" || len(all) != 5 {
		t.Errorf("pages of %v", sizes)
	}
	for i := 1; i < len(all); i++ {
		if all[i] >= all[i-1] {
			t.Errorf("row %d is out of order", i)
		}
	}
}

func TestList_OfNothingIsAnEmptyArray(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	pages(0).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), "GET", "/rows", http.NoBody))
	if rec.Body.String() != "[]\n" || rec.Header().Get("Link") != "" {
		t.Errorf("got %q, %v", rec.Body, rec.Header())
	}
}

// FuzzDecode holds that a body is either refused with a problem or understood
// as encoding/json understands it.
func FuzzDecode(f *testing.F) {
	f.Add(`{"name":"a","count":1,"maybe":null,"any":[{"a":1}]}`)
	f.Add(`{"name":"a","name":"b"}`)
	f.Add("{\"any\":{\"\\ud800\":\"\xff\"}}")
	f.Fuzz(func(t *testing.T, body string) {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/things", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		newFuzzRig.ServeHTTP(rec, r)
		var want struct{ Name string }
		err := json.Unmarshal([]byte(body), &want)
		var got struct{ Name string }
		if rec.Code == http.StatusCreated && (err != nil || json.Unmarshal(rec.Body.Bytes(), &got) != nil || got != want) {
			t.Errorf("%q is taken as %s; encoding/json: %+v, %v", body, rec.Body, want, err)
		}
		if rec.Code != http.StatusCreated && rec.Code/100 != 4 {
			t.Errorf("%q: %d %s", body, rec.Code, rec.Body)
		}
	})
}

var newFuzzRig = endpoint.New(endpoint.Settings{Log: slog.New(slog.DiscardHandler), Now: time.Now}, endpoint.Route{
	Pattern: "POST /things",
	Handler: endpoint.JSON(http.StatusCreated, func(_ context.Context, q thing) (echo, error) { return echo{Name: q.Name}, nil }),
})
