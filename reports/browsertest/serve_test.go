package browsertest

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
)

// command is the command of this repository, built once.
var command = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "respawn")
	said, err := exec.Command("go", "build", "-o", path, "../../cmd/respawn").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, said)
	}
	return path, err
})

// served starts a run of ten seconds that is watched at the address that it gives.
func served(t *testing.T) (run *exec.Cmd, address string) {
	t.Helper()
	g, dir := NewWithT(t), t.TempDir()
	respawn, err := command()
	g.Expect(err).NotTo(HaveOccurred())
	run = exec.CommandContext(t.Context(), respawn, "run", "watched.yaml", "--serve", "--out", "out")
	run.Dir = dir
	g.Expect(os.WriteFile(filepath.Join(dir, "watched.yaml"), []byte(`name: watched
target: {pool: {size: 2}}
load: {task: sleep, args: {duration: 10ms}, concurrency: 4}
chaos:
  - fault: {pause: 50ms}
    when: {every: 100ms, for: 10s}
`), 0o600)).To(Succeed())
	said, err := run.StderrPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(run.Start()).To(Succeed())
	in := bufio.NewReader(said)
	line, err := in.ReadString('\n')
	g.Expect(err).NotTo(HaveOccurred())
	address = regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(line)
	g.Expect(address).NotTo(BeEmpty(), line)
	go func() { _, _ = io.Copy(io.Discard, in) }()
	return run, address
}

// A run is watched in a browser: its heading is no verdict while it goes on, what is known comes by itself, and the
// last page is that of the verdict, also of a run that Ctrl-C ends.
func TestARunIsWatched(t *testing.T) {
	if browser == nil {
		t.Skip("no chromium here: apt-get install chromium")
	}
	for verdict, interrupt := range map[string]bool{"PASS": false, "ABORTED": true} {
		if !interrupt && !takes.Every() {
			continue // it takes ten seconds more
		}
		t.Run(verdict, func(t *testing.T) {
			run, address := served(t)
			b := openAt(t, address)
			shown := func(selector string) string {
				return ask[string](b, `document.getElementById("report").contentDocument?.querySelector("`+selector+
					`")?.textContent ?? ""`)
			}
			b.Eventually(func() string { return shown(".verdict") }).WithTimeout(2 * patience).Should(Equal("RUNNING"))
			b.Eventually(func() string { return shown(".cause") }).WithTimeout(patience).
				Should(MatchRegexp(`^By now: [1-9]\d* faults? confirmed, .* and no promise was broken$`))
			before := shown(".cause")
			b.Eventually(func() string { return shown(".cause") }).WithTimeout(patience).
				Should(And(HavePrefix("By now: "), Not(Equal(before))))
			b.Expect(ask[string](b, `document.getElementById("state").textContent`)).To(Equal("The run goes on."))
			if interrupt {
				b.Expect(run.Process.Signal(os.Interrupt)).To(Succeed())
			}
			b.Eventually(func() string { return ask[string](b, `document.getElementById("state").textContent`) }).
				WithTimeout(2 * patience).
				Should(Equal("The run is over; this is its last page."))
			b.Eventually(func() string { return shown(".verdict") }).WithTimeout(patience).Should(Equal(verdict))
			err := run.Wait()
			b.Expect(run.ProcessState.ExitCode()).To(Equal(map[string]int{"PASS": 0, "ABORTED": 130}[verdict]), "%v",
				err)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.Expect(b.noise).To(BeEmpty())
			for _, asked := range b.asked {
				b.Expect(asked).To(HavePrefix(address))
			}
		})
	}
}

// A page of another origin sees nothing of a run, whether it asks for the report, listens to it or shows it in a frame
// of its own.
func TestARunIsNotWatchedByOtherOrigins(t *testing.T) {
	if browser == nil {
		t.Skip("no chromium here: apt-get install chromium")
	}
	_, address := served(t)
	path := filepath.Join(t.TempDir(), "other.html")
	NewWithT(t).Expect(os.WriteFile(path,
		[]byte(`<!doctype html><title>other</title><iframe src="`+address+`report"></iframe>`), 0o600)).To(Succeed())
	b := open(t, path)
	b.Expect(askLater(b, `fetch("`+address+`report").then(r => r.text(), e => "refused: " + e.name)`)).
		To(Equal("refused: TypeError"))
	b.Expect(askLater(b, `fetch("`+address+
		`report", {mode: "no-cors"}).then(r => r.text().then(t => r.type + t), e => "refused: " + e.name)`)).
		To(BeElementOf("refused: TypeError", "opaque"))
	b.Expect(askLater(b, `new Promise(tell => { const e = new EventSource("`+address+
		`events"); e.onerror = () => tell("refused"); e.onopen = () => tell("open") })`)).
		To(Equal("refused"))
	b.Expect(ask[bool](b, `document.querySelector("iframe").contentDocument === null`)).To(BeTrue())
}
