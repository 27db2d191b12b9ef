package browsertest

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"
)

// patience is far more than any step here needs, also on a machine that does much else.
const patience = 20 * time.Second

// scratch is a directory that all tests share, and that goes with them.
var scratch string

// browser is the one that all tests share, each with a tab of its own; nil without Chromium.
var browser context.Context

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if flag.Parse(); testing.Short() {
		fmt.Println("skipped: a browser takes a minute: run without -short")
		return 0
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "respawn-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	scratch = dir
	alloc, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.UserDataDir(dir), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(patience),
	)...)
	defer stop()
	ctx, quit := chromedp.NewContext(alloc)
	defer quit()
	if err := chromedp.Do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "start", chromium, "failed:", err)
		return 1
	}
	browser = ctx
	code := m.Run()
	if err := chromedp.Cancel(ctx); err != nil { // waits until it is gone
		fmt.Fprintln(os.Stderr, err)
	}
	return code
}

// tab is one page, and what it did that a report must not do.
type tab struct {
	*testing.T
	*WithT
	ctx context.Context

	mu     sync.Mutex
	noise  []string // of the console, and dialogs
	asked  []string // requests
	opened string   // the page
}

// open shows a file in a tab of its own.
func open(t *testing.T, path string, prepare ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	return openAt(t, (&url.URL{Scheme: "file", Path: path}).String(), prepare...)
}

// openAt shows what is at an address in a tab of its own.
func openAt(t *testing.T, address string, prepare ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	if browser == nil {
		t.Skip("no chromium here: apt-get install chromium")
	}
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 3*patience)
	t.Cleanup(stop)
	b := &tab{T: t, WithT: NewWithT(t), ctx: ctx, opened: address}
	b.Expect(chromedp.Do(ctx)).To(Succeed())
	b.Expect(chromedp.Listen(ctx, b.listen)).To(Succeed())
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	b.Expect(err).NotTo(HaveOccurred())
	_, err = chromedp.Call(ctx, page.BringToFront, cdp.Empty{})
	b.Expect(err).NotTo(HaveOccurred())
	b.do(prepare...)
	b.do(chromedp.Navigate(b.opened))
	return b
}

func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		b.noise = append(b.noise, fmt.Sprintf("console.%s", e.Type))
	case *runtime.EventExceptionThrown:
		b.noise = append(b.noise, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		b.noise = append(b.noise, fmt.Sprintf("%s: %s", e.Entry.Source, e.Entry.Text))
	case *page.EventJavascriptDialogOpening:
		b.noise = append(b.noise, "dialog: "+e.Message)
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.URL)
	}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	b.Expect(chromedp.Do(b.ctx, steps...)).To(Succeed())
}

// quiet says that nothing was written to the console, and nothing but the page itself was asked for.
func (b *tab) quiet() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Expect(b.noise).To(BeEmpty())
	for _, u := range b.asked {
		b.Expect(u).To(Equal(b.opened))
	}
}

// ask evaluates an expression in the page.
func ask[T any](b *tab, expression string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	b.Expect(err).NotTo(HaveOccurred())
	return v
}

// askLater is ask for an expression that is a promise of a text.
func askLater(b *tab, expression string) string {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	b.Expect(err).NotTo(HaveOccurred())
	return v
}

// click presses the mouse on an element. chromedp.Click would ask the page whether it can be seen, by JavaScript.
func (b *tab) click(selector string) {
	b.Helper()
	at := ask[[]float64](b, fmt.Sprintf(`(() => {
		const e = document.querySelector(%q);
		e.scrollIntoView({block: "center", behavior: "instant"});
		const box = e.getBoundingClientRect();
		return [box.left + 8, box.top + box.height / 2];
	})()`, selector))
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

// media emulates a kind of output and a preferred scheme of colours.
func media(kind, scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: kind, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// withoutScripts is a browser with JavaScript switched off.
func withoutScripts() chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	})
}
