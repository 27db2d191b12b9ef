package pool

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// simLine is one line of the story of a seed.
type simLine struct {
	at     time.Duration
	who    *simProcess // nil: the pool, its owner or a client
	format string
	args   []any
}

func (l simLine) String() string {
	who := ""
	if l.who != nil {
		who = l.who.String()
	}
	return fmt.Sprintf("%14v  %-10s ", l.at, who) + fmt.Sprintf(l.format, l.args...)
}

// tell adds a line to the story.
func (s *simulation) tell(w *simProcess, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, simLine{time.Since(s.start), w, format, args})
}

// lines are the story, with what the pool told of it.
func (s *simulation) lines() []simLine {
	lines := slices.Clone(s.trace)
	for _, e := range s.events {
		format, args := "the pool: %v", []any{e.Kind}
		switch {
		case e.Exit != nil:
			format, args = format+" %v", append(args, e.Exit)
		case e.Err != nil:
			format, args = format+" %v", append(args, e.Err)
		case e.Kind == WorkerRetiring:
			format, args = format+" %v", append(args, e.Reason)
		}
		lines = append(lines, simLine{e.At.Sub(s.start), s.byPID[e.Worker.PID], format, args})
	}
	slices.SortStableFunc(lines, func(a, b simLine) int { return cmp.Compare(a.at, b.at) })
	return lines
}

// story is all of it as text.
func (s *simulation) story() string {
	var b strings.Builder
	for _, l := range s.lines() {
		fmt.Fprintln(&b, l)
	}
	return b.String()
}

// workerName is the pool's name for a worker, which slots that start one at the same instant race for.
var workerName = regexp.MustCompile(`Worker-\d+`)

// gist is the story without what may differ from run to run: the order of what happened at the same instant, and names.
func (s *simulation) gist() (text []string) {
	lines := s.lines()
	for start := 0; start < len(lines); {
		end := start
		for end < len(lines) && lines[end].at == lines[start].at {
			text = append(text, workerName.ReplaceAllString(lines[end].String(), ""))
			end++
		}
		slices.Sort(text[start:])
		start = end
	}
	return text
}

// A seed hangs when its virtual clock stands still: at a livelock, or where somebody waits for a mutex that is never
// unlocked, which virtual time waits for too. Real time does not tell that from a machine that is busy with other
// things. What tells is that the clock stood still while this process used a minute of each CPU that it may use, or
// while the watchdog itself got its turn six hundred times, a second apart.
const (
	simStillCPU   = time.Minute
	simStillTurns = 600
)

// simClock is the virtual clock of a seed as it can be seen from outside.
type simClock struct{ beats atomic.Int64 }

// run beats ten times a second for ten minutes, which is far longer than a seed may take; after that nothing moves any
// more that does not move by itself.
func (c *simClock) run(stop <-chan struct{}) {
	for range 6000 {
		select {
		case <-time.After(100 * time.Millisecond):
			c.beats.Add(1)
		case <-stop:
			return
		}
	}
}

// watch calls hung, once, if the clock stands still before stop is called.
func (c *simClock) watch(hung func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		turn := time.NewTicker(time.Second)
		defer turn.Stop()
		var w simWatchdog
		for {
			select {
			case <-done:
				return
			case <-turn.C:
			}
			if w.stalled(c.beats.Load(), usedCPU()) {
				hung()
				return
			}
		}
	}()
	return func() { close(done) }
}

// simWatchdog is what was seen when the clock moved last.
type simWatchdog struct {
	beats int64
	cpu   time.Duration
	turns int
}

// stalled tells whether the clock has stood still for too long.
func (w *simWatchdog) stalled(beats int64, cpu time.Duration) bool {
	if w.turns == 0 || beats != w.beats {
		*w = simWatchdog{beats: beats, cpu: cpu}
	}
	w.turns++
	return w.turns > simStillTurns || cpu-w.cpu > simStillCPU*time.Duration(runtime.GOMAXPROCS(0))
}

func usedCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// hangs ends the program, since a bubble cannot be left.
func hangs(seed uint64) {
	stacks := make([]byte, 16<<20)
	fmt.Fprintf(os.Stderr, "seed %d: its virtual clock stands still: %s\n%s\n",
		seed, simCommand(seed), stacks[:runtime.Stack(stacks, true)])
	os.Exit(1)
}

func TestTheWatchdogTellsAHangFromABusyMachine(t *testing.T) {
	g := NewWithT(t)
	var w simWatchdog
	cpus := time.Duration(runtime.GOMAXPROCS(0))
	for n := range int64(10_000) {
		g.Expect(w.stalled(n, time.Duration(n)*simStillCPU*cpus/2)).To(BeFalse(), "it moves, however slowly")
	}
	w = simWatchdog{}
	for range simStillTurns {
		g.Expect(w.stalled(7, time.Second)).To(BeFalse(), "the machine may be busy")
	}
	g.Expect(w.stalled(7, time.Second)).To(BeTrue(), "nobody runs, and nobody is woken")
	w = simWatchdog{}
	g.Expect(w.stalled(7, time.Second)).To(BeFalse())
	g.Expect(w.stalled(7, time.Second+simStillCPU*cpus)).To(BeFalse())
	g.Expect(w.stalled(7, 2*time.Second+simStillCPU*cpus)).To(BeTrue(), "somebody spins")
}
