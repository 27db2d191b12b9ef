package export_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
	"github.com/respawn-go/respawn/reports/export"
)

const ms = time.Millisecond

var header = history.Header{
	SchemaVersion: 1, Scenario: "one-kill", Seed: 7, Run: "R", Started: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC),
	Target: history.Target{Kind: "pool", Name: "respawn", Size: 2},
}

// story is a run in which the worker of task 2 is killed.
func story() iter.Seq2[history.Event, error] {
	victim := &history.Victim{Slot: 1, PID: 101, Phase: "running"}
	list := []history.Event{
		{T: 1 * ms, Stage: &history.Stage{Name: history.Chaos}},
		{T: 1 * ms, Member: &history.MemberEvent{Op: history.Started, Slot: 0, PID: 100}},
		{T: 1 * ms, Member: &history.MemberEvent{Op: history.Started, Slot: 1, PID: 101}},
		{T: 2 * ms, Task: &history.Task{ID: 1, Op: history.Submitted}},
		{T: 2 * ms, Task: &history.Task{ID: 2, Op: history.Submitted}},
		{T: 5 * ms, Fault: &history.Fault{N: 1, Op: history.Planned, Fault: "signal KILL", Victim: victim}},
		{T: 5 * ms, Fault: &history.Fault{N: 1, Op: history.Injected, Fault: "signal KILL", Victim: victim}},
		{T: 7 * ms, Member: &history.MemberEvent{
			Op: history.Exited, Slot: 1, PID: 101, At: 6 * ms, Exit: &history.Exit{Code: -1, Signal: "SIGKILL"},
		}},
		{T: 7 * ms, Fault: &history.Fault{
			N: 1, Op: history.Concluded, Fault: "signal KILL", Victim: victim, Outcome: history.Confirmed, Fatal: true,
			Receipt: &history.Receipt{
				Tier: "wait status", Evidence: map[string]string{"ended": "signal KILL"}, At: 6 * ms,
			},
		}},
		{T: 9 * ms, Task: &history.Task{ID: 1, Op: history.Settled, Outcome: history.OK, Attempts: 1, PID: 100}},
		{T: 10 * ms, Member: &history.MemberEvent{Op: history.Started, Slot: 1, PID: 102}},
		{T: 12 * ms, Probe: &history.Probe{Slot: 1, Op: history.Answered, For: 1, PID: 102}},
		{
			T:    20 * ms,
			Task: &history.Task{ID: 2, Op: history.Settled, Outcome: history.Wrong, Err: "=1+1", Attempts: 2, PID: 102},
		},
		{T: 30 * ms, Run: &history.Run{Task: 2, Attempt: 1, PID: 101, Start: 3 * ms}},
		{T: 30 * ms, Run: &history.Run{Task: 2, Attempt: 2, PID: 102, Start: 12 * ms, End: 19 * ms}},
		{T: 30 * ms, Run: &history.Run{Task: 1, Attempt: 1, PID: 100, Start: 3 * ms, End: 8 * ms}},
		{T: 31 * ms, End: &history.End{}},
	}
	return func(yield func(history.Event, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func fold(g *WithT, tasks int) *export.Run {
	r, err := export.Fold(header, story(), tasks)
	g.Expect(err).NotTo(HaveOccurred())
	return r
}

func TestSpansTellTheStory(t *testing.T) {
	g := NewWithT(t)
	var lines []string
	for _, s := range fold(g, -1).Spans {
		parent := "-"
		if s.Parent != nil {
			parent = s.Parent.Title()
		}
		lines = append(lines, fmt.Sprintf("%s < %s: %v to %v, slot %d pid %d: %s", s.Title(), parent, s.Start, s.End,
			s.Slot, s.PID, s.Failed))
	}
	g.Expect(lines).To(HaveExactElements(
		"run one-kill < -: 0s to 31ms, slot -1 pid 0: ",
		"stage chaos < run one-kill: 1ms to 31ms, slot -1 pid 0: ",
		"worker in slot 0 < run one-kill: 1ms to 31ms, slot 0 pid 100: ",
		"worker in slot 1 < run one-kill: 1ms to 6ms, slot 1 pid 101: ended by SIGKILL",
		"fault signal KILL < run one-kill: 5ms to 7ms, slot 1 pid 101: ",
		"recovery of slot 1 < fault signal KILL: 6ms to 12ms, slot 1 pid 0: ",
		"worker in slot 1 < run one-kill: 10ms to 31ms, slot 1 pid 102: ",
		"task < run one-kill: 2ms to 9ms, slot -1 pid 100: ",
		"attempt 1 < task: 3ms to 8ms, slot 0 pid 100: ",
		"task < run one-kill: 2ms to 20ms, slot -1 pid 102: wrong: =1+1",
		"attempt 1 < task: 3ms to 6ms, slot 1 pid 101: its worker ended",
		"attempt 2 < task: 12ms to 19ms, slot 1 pid 102: ",
	))
}

// A target that tells its events has a slot back when the successor is ready and has answered, whichever is later.
func TestARecoveryLastsUntilTheSuccessorIsReady(t *testing.T) {
	g := NewWithT(t)
	h := header
	h.Target.Can = []string{"events"}
	var list []history.Event
	for e := range story() {
		list = append(list, e)
		if e.Probe != nil {
			list = append(list,
				history.Event{T: 14 * ms, Member: &history.MemberEvent{Op: history.Ready, Slot: 1, PID: 102}})
		}
	}
	r, err := export.Fold(h, func(yield func(history.Event, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}, 0)
	g.Expect(err).NotTo(HaveOccurred())
	for _, s := range r.Spans {
		if s.Kind == export.OfRecovery {
			g.Expect(s.End).To(Equal(14 * ms))
		}
	}
}

func TestOnlyPlainTasksAreLeftOut(t *testing.T) {
	g := NewWithT(t)
	r := fold(g, 0)
	g.Expect(r.Left).To(Equal(1))
	g.Expect(r.Spans[len(r.Spans)-1].ID).To(Equal("2.2"))
	g.Expect(r.Spans).To(HaveLen(10))
}

func TestASpreadsheetCalculatesNothing(t *testing.T) {
	g := NewWithT(t)
	r := fold(g, -1)
	for _, s := range r.Spans {
		if s.Failed != "" {
			s.Failed = "=1+1"
		}
	}
	var out bytes.Buffer
	g.Expect(r.CSV(&out)).To(Succeed())
	rows, err := csv.NewReader(&out).ReadAll()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(rows).To(HaveLen(1 + len(r.Spans)))
	for _, row := range rows {
		g.Expect(row[8]).NotTo(HavePrefix("="))
	}
}

func TestAnnotationsAreALineEach(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	g.Expect(fold(g, -1).Grafana(&out)).To(Succeed())
	var texts []string
	for dec := json.NewDecoder(&out); dec.More(); {
		var a struct {
			Time, TimeEnd int64
			Text          string
		}
		g.Expect(dec.Decode(&a)).To(Succeed())
		texts = append(texts, fmt.Sprintf("%d+%d %s", a.Time-header.Started.UnixMilli(), a.TimeEnd-a.Time, a.Text))
	}
	g.Expect(texts).To(HaveExactElements("0+31 run one-kill", "5+2 fault 1: signal KILL on slot 1 pid 101",
		"6+6 recovery of slot 1", "2+18 task 2: wrong: =1+1"))
}

// judged is a report with every kind of figure.
func judged() *reports.Report {
	r := &reports.Report{Facts: reports.Facts{Scenario: `a "b"`, Seed: 7, Target: header.Target}}
	r.Result = check.Result{
		Verdict: check.Fail, Metrics: map[string]float64{}, Recoveries: []float64{.004, .005, .2, 20},
	}
	for i, name := range check.Names() {
		r.Metrics[name] = float64(i) / 3
	}
	return r
}

// run starts a program of others, and ends it with the test. It skips where the program is not installed.
func run(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("there is no %s here: .ci/run export installs it", program)
	}
	return exec.CommandContext(t.Context(), path, args...)
}

// free is an address of loopback that nobody listens on.
func free(g *WithT) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	g.Expect(err).NotTo(HaveOccurred())
	defer l.Close()
	return l.Addr().String()
}

// get is what an address answers.
func get(ctx context.Context, url string) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

func TestPromtoolFindsNothing(t *testing.T) {
	g := NewWithT(t)
	cmd := run(t, "promtool", "check", "metrics")
	var in bytes.Buffer
	g.Expect(export.Prometheus(&in, judged())).To(Succeed())
	cmd.Stdin = &in
	out, err := cmd.CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), string(out))
}

// A real Prometheus scrapes it, and knows the verdict, the recoveries and every figure.
func TestPrometheusReadsARun(t *testing.T) {
	takes.Seconds(t)
	g, dir, address := NewWithT(t), t.TempDir(), ""
	address = free(g)
	cmd := run(t, "prometheus", "--config.file="+filepath.Join(dir, "p.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	site := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = export.Prometheus(w, judged()) }))
	defer site.Close()
	config := "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: respawn, static_configs: [{targets: ['" +
		strings.TrimPrefix(site.URL, "http://") + "']}]}]\n"
	g.Expect(os.WriteFile(filepath.Join(dir, "p.yml"), []byte(config), 0o600)).To(Succeed())
	var log bytes.Buffer
	cmd.Stderr = &log
	g.Expect(cmd.Start()).To(Succeed())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	ask := func(query string) func() string {
		return func() string { return get(t.Context(), "http://"+address+"/api/v1/query?query="+query) }
	}
	g.Eventually(ask(`respawn_verdict`)).WithTimeout(time.Minute).Should(ContainSubstring(`"verdict":"FAIL"`), "%s",
		&log)
	g.Expect(ask(`count({__name__=~"respawn_.*",__name__!~"respawn_(verdict|slot_recovery_seconds).*"})`)()).
		To(ContainSubstring(fmt.Sprintf(`"%d"`, len(check.Names()))))
	g.Expect(ask(`histogram_quantile(0.5,respawn_slot_recovery_seconds_bucket)`)()).To(ContainSubstring(`"0.005"`))
}

// A real collector takes the trace, whole.
func TestTheOpenTelemetryCollectorReadsARun(t *testing.T) {
	g, dir := NewWithT(t), t.TempDir()
	address, config := free(g), filepath.Join(dir, "c.yaml")
	g.Expect(os.WriteFile(config, []byte(`receivers: {otlp: {protocols: {http: {endpoint: "`+address+`"}}}}
exporters: {debug: {verbosity: detailed}}
service:
  telemetry: {metrics: {level: none}}
  pipelines: {traces: {receivers: [otlp], exporters: [debug]}}
`), 0o600)).To(Succeed())
	cmd := run(t, "otelcol", "--config", config)
	said, err := os.Create(filepath.Join(dir, "said"))
	g.Expect(err).NotTo(HaveOccurred())
	defer said.Close()
	cmd.Stdout, cmd.Stderr = said, said
	g.Expect(cmd.Start()).To(Succeed())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var trace bytes.Buffer
	g.Expect(fold(g, -1).OTLP(&trace)).To(Succeed())
	g.Eventually(func() (string, error) {
		resp, err := http.Post("http://"+address+"/v1/traces", "application/json", bytes.NewReader(trace.Bytes()))
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.Status + string(body), err
	}).WithTimeout(time.Minute).Should(And(HavePrefix("200 OK"), Not(ContainSubstring("rejected"))))
	told := func() string { text, _ := os.ReadFile(said.Name()); return string(text) }
	g.Eventually(told).WithTimeout(time.Minute).Should(ContainSubstring("Span #11"))
	for _, words := range []string{
		"recovery of slot 1", "attempt 2", "Status code    : Error", "process.pid: Int(102)", "Str(one-kill)",
	} {
		g.Expect(told()).To(ContainSubstring(words))
	}
}
