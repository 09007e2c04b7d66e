//go:build e2e

package test_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// The environment variables of make e2e.
var (
	axeScript   = os.Getenv("AXE")         // the file of axe-core, which then checks every view
	screenshots = os.Getenv("SCREENSHOTS") // the folder for pictures of every view
)

// A pageUser is somebody at the page of a gateway, in one tab of a browser.
type pageUser struct{ *docsPage }

// openPage opens the page of a gateway with a Nextcloud, in a new browser.
func openPage(t *testing.T, env ...string) pageUser {
	t.Helper()
	dir := t.TempDir()
	return startWithDevcloud(t, dir, env...).open(t, dir)
}

// open opens the page of a gateway in a new browser.
func (p *process) open(t *testing.T, dir string) pageUser {
	t.Helper()
	who := pageUser{&docsPage{process: p, ctx: chromiumFor(t, certificateIn(t, dir), chromedp.Flag("lang", "en-US"))}}
	who.do(t, "open the page", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(p.https+"/"))
	return who
}

// creates fills in and sends the form for an account, from the page for signing in.
func (p pageUser) creates(t *testing.T) {
	t.Helper()
	p.clicks(t, "Create an account")
	p.sees(t, "Create your account")
	p.types(t, "full_name", herName)
	p.types(t, "email", herAddress)
	p.types(t, "password", herPassword)
	p.clicks(t, "Create account")
}

// registers creates the account of the person, and waits for her files.
func (p pageUser) registers(t *testing.T) {
	t.Helper()
	p.creates(t)
	p.reads(t, "welcome.txt")
}

// waits waits until a script in the page is true.
func (p pageUser) waits(t *testing.T, what, condition string) {
	t.Helper()
	p.waitsFor(t, answerTime/2, what, condition)
}

// leftPage matches what Chromium says about a script whose page another one replaced.
var leftPage = regexp.MustCompile("Cannot find context|Inspected target navigated|Execution context was destroyed")

// waitsFor is waits with a time limit.
func (p pageUser) waitsFor(t *testing.T, limit time.Duration, what, condition string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, limit)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		for {
			_, err := chromedp.Run(ctx, chromedp.Poll[bool](condition, chromedp.WithPollingInterval(50*time.Millisecond)))
			if err == nil || !leftPage.MatchString(err.Error()) {
				return err
			}
		}
	})); err != nil {
		t.Fatalf("%s: %v; the page shows:\n%s", what, err, evaluate[string](t, p.docsPage, `document.body.innerText`))
	}
}

// sees waits until the page shows the heading.
func (p pageUser) sees(t *testing.T, heading string) {
	t.Helper()
	p.waits(t, heading, fmt.Sprintf(`document.querySelector("h1")?.innerText === %q`, heading))
}

// reads waits until the page shows the text.
func (p pageUser) reads(t *testing.T, text string) {
	t.Helper()
	p.waits(t, text, fmt.Sprintf(`document.body?.innerText.includes(%q)`, text))
}

// asks waits until the page shows the dialog.
func (p pageUser) asks(t *testing.T, title string) {
	t.Helper()
	p.waits(t, title, fmt.Sprintf(`document.querySelector("dialog[open] h2")?.innerText === %q`, title))
}

// types replaces the text of the field with the name, or that a selector finds.
func (p pageUser) types(t *testing.T, name, text string) {
	t.Helper()
	field := name
	if !strings.Contains(name, "[") {
		field = fmt.Sprintf(`[name=%q]`, name)
	}
	p.do(t, name, chromedp.WaitVisible(chromedp.CSS(field)),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).select(), undefined`, field)), enter(field, text))
}

// clicks clicks on the button or link with the text or label, as soon as there is one.
func (p pageUser) clicks(t *testing.T, text string) {
	t.Helper()
	const mark = `(() => {
		document.querySelectorAll("[data-click]").forEach(e => e.removeAttribute("data-click"))
		const found = [...(document.querySelector("dialog[open]") ?? document).querySelectorAll("button, a, summary")].find(
		e => e.checkVisibility() && (e.getAttribute("aria-label") ?? e.innerText).trim() === %q)
		found?.setAttribute("data-click", "")
		return !!found
	})()`
	p.waits(t, "to click on "+text, fmt.Sprintf(mark, text))
	p.do(t, text, click("[data-click]"))
}

// A look is one way to show a view.
type look struct {
	name   string
	width  int64
	scheme string
	rules  string // of axe
}

// Of the rules of axe, only contrast depends on the colors.
var looks = []look{{"light", 1280, "light", ""}, {"dark", 1280, "dark", `runOnly: ["color-contrast"],`}, {"narrow", 360, "light", ""}}

// tooSmall lists what is hard to touch. Links within sentences may be lower.
const tooSmall = `[...(document.querySelector("dialog[open]") ?? document).querySelectorAll("button, summary, select, .check, input:not(.check input), nav a, li a, td a")]
	.filter(e => e.checkVisibility() && !e.closest("p, .unseen") && e.getBoundingClientRect().height < 43.9)
	.map(e => Math.round(e.getBoundingClientRect().height) + " pixels: " + e.outerHTML.slice(0, 200)).slice(0, 5).join("\n")`

// looks checks that the view fits into each window, and with make e2e that axe finds
// nothing in it.
func (p pageUser) looks(t *testing.T, view string) {
	t.Helper()
	for _, l := range looks {
		p.do(t, view, chromedp.EmulateViewport(l.width, 800))
		if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		}); err != nil {
			t.Fatal(err)
		}
		if got := evaluate[int64](t, p.docsPage, `document.documentElement.scrollWidth`); got > l.width {
			t.Errorf("%s, %s: the page is %d pixels wide, want at most %d", view, l.name, got, l.width)
		}
		if found := evaluate[string](t, p.docsPage, tooSmall); found != "" {
			t.Errorf("%s, %s: fingers miss what is less than 44 pixels high:\n%s", view, l.name, found)
		}
		p.axe(t, view+", "+l.name, l.rules)
		p.shoots(t, view+"-"+l.name+".png")
	}
	p.fits(t, 320) // a wide window at a zoom of 400 percent
	p.fits(t, 768)
	p.do(t, view, chromedp.EmulateViewport(1280, 900))
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{}); err != nil {
		t.Fatal(err)
	}
}

// axe lets axe-core check the view, if AXE names its file.
func (p pageUser) axe(t *testing.T, view, rules string) {
	t.Helper()
	if axeScript == "" {
		return
	}
	if !evaluate[bool](t, p.docsPage, `!!window.axe`) {
		script, err := os.ReadFile(axeScript)
		if err != nil {
			t.Fatal(err)
		}
		p.do(t, "load axe", chromedp.Evaluate[chromedp.Void](string(script)+";undefined"))
	}
	found := evaluate[string](t, p.docsPage, `axe.run(document, {`+rules+` resultTypes: ["violations"]}).then(({violations}) =>
		violations.map(v => v.id + ": " + v.help + "\n  " + v.nodes.map(n => n.html + " " + n.failureSummary).join("\n  ")).join("\n"))`)
	if found != "" {
		t.Errorf("%s: axe finds %s", view, found)
	}
}

const highest = 2000 // pixels of a picture; the rest of a longer page looks the same

// shoots writes a picture of the page, if SCREENSHOTS names a folder.
func (p pageUser) shoots(t *testing.T, name string) {
	t.Helper()
	if screenshots == "" {
		return
	}
	all := !evaluate[bool](t, p.docsPage, `!!document.querySelector("dialog[open]")`) // a dialog covers the window only
	shot := page.CaptureScreenshotParams{CaptureBeyondViewport: &all}
	if size := evaluate[[]float64](t, p.docsPage, `[innerWidth, document.documentElement.scrollHeight]`); all && size[1] > highest {
		shot.Clip = &page.Viewport{Width: size[0], Height: highest, Scale: 1}
	}
	got, err := chromedp.Call(p.ctx, page.CaptureScreenshot, shot)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(screenshots, name), got.Data, 0o600); err != nil {
		t.Fatal(err)
	}
}
