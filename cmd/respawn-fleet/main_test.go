package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/fleet/broker"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

func TestMain(m *testing.M) {
	pool.Main()
	if path := os.Getenv(envOrphan); path != "" {
		orphan(path)
	}
	takes.SideBySide(3)
	os.Exit(m.Run())
}

func TestStatusSaysWhereTheQueueIs(t *testing.T) {
	g := NewWithT(t)
	g.Expect(kept(&fleet.Status{})).To(Equal("no owner has made the queue yet"))
	g.Expect(kept(&fleet.Status{Storage: "memory", Kept: 1})).To(Equal("queue in memory at one broker"))
	g.Expect(kept(&fleet.Status{Storage: "file", Kept: 3})).To(Equal("queue in file at 3 brokers"))
}

// shown is what a command has printed so far.
type shown struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *shown) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shown) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func respawnFleet(ctx context.Context, w io.Writer, args ...string) error {
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(w)
	cmd.SetErr(w)
	return cmd.ExecuteContext(ctx)
}

func TestAFleetComesUpIsSeenIsDrainedAndGoesDown(t *testing.T) {
	t.Parallel()
	takes.Seconds(t)
	g := NewWithT(t)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	out := &shown{}
	over := make(chan error, 1)
	go func() { over <- respawnFleet(ctx, out, "up") }()
	g.Eventually(out.String).WithTimeout(time.Minute).Should(ContainSubstring("it is up until Ctrl-C"))
	g.Expect(out.String()).To(ContainSubstring("1000 tasks in"))
	url := strings.Fields(strings.SplitAfter(out.String(), "broker: ")[1])[0]

	var s fleet.Status
	g.Eventually(func(g Gomega) { // tasks that have their outcomes are acknowledged a moment later
		var status bytes.Buffer
		g.Expect(respawnFleet(ctx, &status, "status", "--servers", url, "--json")).To(Succeed())
		s = fleet.Status{}
		g.Expect(json.Unmarshal(status.Bytes(), &s)).To(Succeed(), status.String())
		g.Expect(s.Stored).To(BeZero())
	}).WithTimeout(time.Minute).Should(Succeed())
	g.Expect(s.Nodes).To(HaveLen(2))
	g.Expect(s.Nodes[0].Workers).To(Equal(2))

	var doctor, drain bytes.Buffer
	g.Expect(respawnFleet(ctx, &doctor, "doctor", "--servers", url)).To(Succeed())
	g.Expect(doctor.String()).To(And(ContainSubstring("may do 16 of the 16 things"), ContainSubstring("2 are there")))
	g.Expect(doctor.String()).NotTo(ContainSubstring("bad"))
	g.Expect(respawnFleet(ctx, &drain, "drain", "node-1", "--servers", url)).To(Succeed())
	g.Expect(drain.String()).To(Equal("told 1 to drain\n"))
	g.Eventually(out.String).WithTimeout(time.Minute).
		Should(MatchRegexp(`it ended and is started again" name=node-1 pid=\d+ error=<nil>`), "it ended by itself")
	stop()
	g.Expect(<-over).To(Or(Succeed(), MatchError(context.Canceled)))
}

func TestWhatCannotBeIsSaidInOneLine(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	b, err := broker.Start(broker.Config{Port: -1})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = b.Close() })
	for words, args := range map[string][]string{
		"no broker at nats://127.0.0.1:1: start one":  {"status", "--servers", "nats://127.0.0.1:1"},
		"has no fleet of that name":                   {"status", "--servers", b.URL(), "--fleet", "nobody"},
		`no node "nobody" says that it is there`:      {"drain", "nobody", "--servers", b.URL()},
		"drain wants one node's name":                 {"drain"},
		"say --yes if that is meant":                  {"purge", "--servers", b.URL()},
		"--for -1s: want a positive duration":         {"pause", "--for", "-1s", "--servers", b.URL()},
		`--role "king": want owner, node or operator`: {"doctor", "--role", "king", "--servers", b.URL()},
		"want its number, OWNER.NUMBER, or its key":   {"status", "--task", "", "--servers", b.URL()},
		"want 1 to 32 letters":                        {"node", "--fleet", "a b", "--servers", b.URL()},
		"--help lists the flags":                      {"up", "--bogus"},
		"want at least one of each":                   {"up", "--nodes", "0"},
		"1, 3 or 5 brokers":                           {"up", "--brokers", "2"},
		"want host:port, where it listens":            {"broker", "--join", "a,b:6222"},
		"name this broker there, too":                 {"broker", "--join", "a:1,b:1,c:1"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			err := respawnFleet(t.Context(), io.Discard, args...)
			g.Expect(err).To(MatchError(ContainSubstring(words)))
			g.Expect(err.Error()).NotTo(ContainSubstring("\n"))
		})
	}
}

func TestBenchPrintsItsFiguresByTheirNames(t *testing.T) {
	t.Parallel()
	takes.Seconds(t)
	g := NewWithT(t)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	var out bytes.Buffer
	g.Expect(respawnFleet(ctx, &out, "bench", "--json", "--brokers", "1", "--runs", "1", "--tasks", "100", "--kills",
		"1")).To(Succeed())
	var all map[string]map[string]float64
	g.Expect(json.Unmarshal(out.Bytes(), &all)).To(Succeed(), out.String())
	g.Expect(all).To(HaveLen(1))
	for _, name := range []string{
		"tasks_s", "floor_tasks_s", "roundtrip_us", "floor_roundtrip_us", "rescue_p50_ms", "rescue_p95_ms",
	} {
		g.Expect(all["fleet"][name]).To(BeNumerically(">", 0), name)
	}
}
