//go:build e2e

package test_test

import (
	"slices"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// usable notes when the first field of the page appears, in milliseconds since the address
// was opened.
const usable = `new MutationObserver(() => {
	if (document.querySelector("input") && !window.usable) window.usable = performance.now()
}).observe(document, {childList: true, subtree: true})`

// TestPage_Start measures how soon a stranger sees and can use the page, without a cache. It
// runs before the others, which would slow it down.
func TestPage_Start(t *testing.T) {
	p := openPage(t)
	for _, err := range []error{
		second(chromedp.Call(p.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: usable})),
		second(chromedp.Call(p.ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var painted, ready []float64
	for range 7 {
		p.do(t, "open the page again", chromedp.Navigate("about:blank"), chromedp.Navigate(p.process.https+"/"))
		p.waits(t, "the first paint", `!!window.usable && performance.getEntriesByName("first-contentful-paint").length > 0`)
		painted = append(painted, evaluate[float64](t, p.docsPage, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
		ready = append(ready, evaluate[float64](t, p.docsPage, `window.usable`))
	}
	slices.Sort(painted)
	slices.Sort(ready)
	t.Logf("median of 7: first paint after %.0f ms, the first field is there after %.0f ms", painted[3], ready[3])
}

func second[T any](_ T, err error) error { return err }
