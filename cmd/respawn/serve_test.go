package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
)

// Two browsers watch a run, one of which never reads: the other sees its faults while it goes on, and its end; other
// origins and names see nothing, and the run comes to its own end.
func TestARunIsServedToWhoAskedForIt(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	cmd := apart(t, "run", "short.yaml", "--out", "out", "--serve")
	g.Expect(os.WriteFile(filepath.Join(cmd.Dir, "short.yaml"),
		[]byte(strings.NewReplacer("stormy", "short", "2m", "5s").Replace(stormy)), 0o600)).To(Succeed())
	stderr, err := cmd.StderrPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cmd.Start()).To(Succeed())
	in := bufio.NewReader(stderr)
	line, err := in.ReadString('\n')
	g.Expect(err).NotTo(HaveOccurred())
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(line)
	g.Expect(url).NotTo(BeEmpty(), line)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, in)
	}()

	get := func(method, path string, header http.Header, host string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, url+path, nil)
		g.Expect(err).NotTo(HaveOccurred())
		r.Header, r.Host = header, host
		a, err := http.DefaultClient.Do(r)
		g.Expect(err).NotTo(HaveOccurred())
		defer a.Body.Close()
		text, err := io.ReadAll(a.Body)
		g.Expect(err).NotTo(HaveOccurred())
		return a.StatusCode, string(text)
	}
	code, text := get("GET", "", http.Header{}, "")
	g.Expect(code).To(Equal(http.StatusOK))
	g.Expect(text).To(ContainSubstring(`src="/report"`))
	code, _ = get("GET", "report", http.Header{}, "rebound.example:80")
	g.Expect(code).To(Equal(http.StatusMisdirectedRequest))
	code, _ = get("GET", "report", http.Header{"Origin": {"http://other.example"}}, "")
	g.Expect(code).To(Equal(http.StatusForbidden))
	code, _ = get("GET", "events", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}}, "")
	g.Expect(code).To(Equal(http.StatusForbidden))
	code, _ = get("POST", "report", http.Header{}, "")
	g.Expect(code).To(Equal(http.StatusMethodNotAllowed))

	deaf, err := http.Get(url + "events") // and never read
	g.Expect(err).NotTo(HaveOccurred())
	defer deaf.Body.Close()
	watch, err := http.Get(url + "events")
	g.Expect(err).NotTo(HaveOccurred())
	defer watch.Body.Close()
	events, seen, last := bufio.NewScanner(watch.Body), false, ""
	for events.Scan() {
		switch events.Text() {
		case "event: page":
			if _, text := get("GET", "report", http.Header{}, ""); strings.Contains(text,
				`<span class="verdict">RUNNING</span>`) && strings.Contains(text, `id="fault-1"`) {
				seen = true
			}
		case "event: over":
			_, last = get("GET", "report", http.Header{}, "")
		}
	}
	g.Expect(seen).To(BeTrue(), "its faults are shown while it goes on")
	g.Expect(last).To(ContainSubstring(`id="fault-1"`))
	g.Expect(last).To(MatchRegexp(`<span class="verdict">(PASS|INCONCLUSIVE)</span>`),
		"INCONCLUSIVE where the host is starved")
	g.Eventually(ended).WithTimeout(time.Minute).Should(BeClosed())
	_ = cmd.Wait()
	g.Expect(cmd.ProcessState.ExitCode()).To(BeElementOf(0, 3))
}

func TestAnAddressThatCannotBeServedIsAMistake(t *testing.T) {
	g := NewWithT(t)
	_, err := serve("here")
	g.Expect(err).To(MatchError(`--serve is "here": want HOST:PORT, such as 127.0.0.1:0`))
}

func TestTheAddressMayStandBehindServe(t *testing.T) {
	for _, c := range []struct {
		serve string
		args  []string
		want  string
		left  []string
	}{
		{anyPort, []string{"127.0.0.1:8080", "my.yaml"}, "127.0.0.1:8080", []string{"my.yaml"}},
		{anyPort, []string{"my.yaml", ":8080"}, ":8080", []string{"my.yaml"}},
		{anyPort, []string{"my.yaml", "a:b.yaml"}, anyPort, []string{"my.yaml", "a:b.yaml"}},
		{"", []string{"my.yaml", "a:8080"}, "", []string{"my.yaml", "a:8080"}},
		{"[::1]:1", []string{"a:8080"}, "[::1]:1", []string{"a:8080"}},
	} {
		g := NewWithT(t)
		f := runFlags{serve: c.serve}
		g.Expect(f.serveAt(c.args)).To(Equal(c.left))
		g.Expect(f.serve).To(Equal(c.want))
	}
}
