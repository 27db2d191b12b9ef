package pool

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/ddmin"
	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/internal/wire"

	. "github.com/onsi/gomega"
)

// simPlan is everything that a seed decides before anything runs. The same seed makes the same plan. Times are from
// when the pool is up.
type simPlan struct {
	seed    uint64
	weather simWeather
	cfg     Config
	boot    time.Duration // what a boot takes, about
	bulk    bool          // some payloads go by the arenas
	tasks   []*simTask
	probes  []*simTask
	lanes   [][]simStep
	admin   []simOrder
	strikes []time.Duration
	broken  [2]time.Duration // between these the initializer fails; both zero: never
	sinks   time.Duration    // some workers' output is taken so late, at most
	early   bool             // faults strike from the start, so that New itself may fail
	heal    time.Duration    // from then on nothing fails any more
	ending  simEnding
	endAt   time.Duration
}

// simTask is one task to be submitted, and what is known of its fate.
type simTask struct {
	kept     *Loan // else it would be released once it is garbage
	n        int
	work     time.Duration
	fail     wire.Kind // wire.FrameValue, FrameError or FramePanic
	poison   *process.Status
	crime    func(w *simProcess, e *simExec) // what its handler does, before it ends its worker
	obedient bool                            // returns when its context is cancelled
	size     int                             // of its payload
	timeout  time.Duration
	delivery Delivery // beside the pool's: AtMostOnce if either says so
	slot     int      // -1: any
	cancel   time.Duration
	simFate
}

// simMaxSize is the most workers that a plan has.
const simMaxSize = 5

// simStep is one thing that a client does: it waits, then runs some tasks in one of the ways there are.
type simStep struct {
	wait  time.Duration
	how   simHow
	tasks []*simTask
	after int // break out of the stream after so many; 0: never
}

type simHow int

const (
	bySubmit simHow = iota
	byCall
	byStream
	byStreamUnordered
	byMap
)

// simOrder is what the pool's owner does to it.
type simOrder struct {
	at   time.Duration
	what simAct
	n    int
}

type simAct int

const (
	audits simAct = iota
	resizes
	restarts
)

// simEnding is how the pool comes to its end.
type simEnding int

const (
	endsQuiet simEnding = iota // when everything is done and healed
	endsByClose
	endsByDrain
	endsByTerminate
	endsByBoth // Close, and Terminate while it waits
)

func (e simEnding) String() string {
	return [...]string{"quiet", "close", "drain", "terminate", "close and terminate"}[e]
}

func newSimPlan(seed uint64) *simPlan {
	d := newDice(seed, dicePlan, 0)
	p := &simPlan{
		seed: seed, boot: d.span(time.Millisecond, 8*time.Millisecond), bulk: d.chance(.05), early: d.chance(.1),
	}
	p.weather = simWeathers[d.weighted(len(simWeathers), func(i int) int { return simWeathers[i].weight })]
	p.heal = d.span(60*time.Millisecond, 400*time.Millisecond)
	p.cfg = simConfig(d)
	p.planTasks(d)
	for slot := range simMaxSize {
		p.probes = append(p.probes, &simTask{
			n: len(p.tasks), work: time.Microsecond, fail: wire.FrameValue, size: simArgSize, slot: slot,
			delivery: p.cfg.Delivery,
		})
		p.tasks = append(p.tasks, p.probes[slot])
	}
	for range d.IntN(5) {
		o := simOrder{at: d.span(time.Millisecond, p.heal), n: d.from(1, simMaxSize)}
		o.what = simAct(d.weighted(3, func(i int) int { return []int{4, 3, 2}[i] }))
		p.admin = append(p.admin, o)
	}
	if gap := p.weather.strikes; gap > 0 {
		for at := d.span(gap/4, 2*gap); at < p.heal; at += d.span(gap/4, 2*gap) {
			p.strikes = append(p.strikes, at)
		}
	}
	if p.weather.rate[atBoot] > 0 && d.chance(.3) {
		p.broken[0] = d.span(time.Millisecond, p.heal)
		p.broken[1] = p.broken[0] + d.span(time.Millisecond, p.heal)
	}
	if d.chance(.4) {
		p.ending = simEnding(d.from(int(endsByClose), int(endsByBoth)))
		p.endAt = d.span(time.Millisecond, p.heal)
	}
	if p.weather.rate[atExec] > 0 && d.chance(.1) {
		p.poisonAll()
	}
	if d.chance(.5) {
		p.sinks = time.Second
		if limit := p.cfg.CloseTimeout; limit > 0 {
			p.sinks = min(p.sinks, limit/8)
		}
	}
	return p
}

// poisonAll has every task end its worker.
func (p *simPlan) poisonAll() {
	for _, lane := range p.lanes {
		for _, step := range lane {
			for _, t := range step.tasks {
				t.poison = &process.Status{Code: 42}
			}
		}
	}
}

// simConfig draws a config. Every knob is off in most of them.
func simConfig(d dice) Config {
	maybe := func(p float64, low, high time.Duration) time.Duration {
		if span := d.span(low, high); d.chance(p) {
			return span
		}
		return 0
	}
	count := func(p float64, low, high int) int {
		if n := d.from(low, high); d.chance(p) {
			return n
		}
		return 0
	}
	ms := time.Millisecond
	c := Config{
		Size: d.from(1, 4), Spares: count(.3, 1, 2), MaxTasks: count(.3, 1, 20), MaxAge: maybe(.15, 60*ms, 500*ms),
		TaskTimeout: maybe(.4, 5*ms, 60*ms), CancelGrace: d.span(5*ms, 50*ms), QueueLimit: count(.3, 1, 10),
		Budgets:     Budgets{Crashes: count(.7, 1, 3), OOM: count(.7, 1, 3), Killed: count(.7, 1, 4)},
		BootTimeout: d.span(30*ms, 100*ms), Heartbeat: d.span(50*ms, 200*ms), StopGrace: d.span(5*ms, 50*ms),
		CloseTimeout: d.span(50*ms, time.Second), SoftMemory: Bytes(count(.1, 12, 30)) * MiB,
		Backoff: Backoff{
			Base: d.span(ms, 5*ms), Max: d.span(20*ms, 100*ms), Threshold: d.from(2, 9),
			HalfLife: d.span(50*ms, 500*ms),
		},
	}
	c.QueueBlock = c.QueueLimit > 0 && d.chance(.5)
	if d.chance(.2) {
		c.HardMemory = 64 * MiB
	}
	if d.chance(.1) {
		c.CancelGrace = -1
	}
	if d.chance(.15) {
		c.Heartbeat = -1
	}
	if d.chance(.2) {
		c.Delivery = AtMostOnce
	}
	return c
}

// planTasks spreads the tasks over a few clients.
func (p *simPlan) planTasks(d dice) {
	for range d.from(1, 4) {
		var lane []simStep
		longest := []time.Duration{20 * time.Microsecond, 2 * time.Millisecond, 30 * time.Millisecond}[d.IntN(3)]
		for range d.from(1, 6) {
			step := simStep{how: simHow(d.weighted(5, func(i int) int { return []int{8, 4, 1, 1, 1}[i] }))}
			step.wait = d.span(10, 10*time.Microsecond)
			if d.chance(.7) {
				step.wait = d.span(10*time.Microsecond, 60*time.Millisecond)
			}
			for range d.from(1, 10) {
				step.tasks = append(step.tasks, p.planTask(d, longest))
			}
			if step.how >= byStream {
				alike(step.tasks)
			}
			if (step.how == byStream || step.how == byStreamUnordered) && d.chance(.4) {
				step.after = d.from(1, len(step.tasks))
			}
			lane = append(lane, step)
		}
		p.lanes = append(p.lanes, lane)
	}
}

// alike gives the tasks of a stream the options that they have in common.
func alike(tasks []*simTask) {
	first := tasks[0]
	for _, t := range tasks {
		t.timeout, t.delivery, t.slot, t.cancel = first.timeout, first.delivery, first.slot, first.cancel
	}
}

func (p *simPlan) planTask(d dice, longest time.Duration) *simTask {
	t := &simTask{
		n: len(p.tasks), work: d.span(100, longest), fail: wire.FrameValue, obedient: d.chance(.5),
		size: simArgSize, slot: -1,
		delivery: p.cfg.Delivery,
	}
	p.tasks = append(p.tasks, t)
	switch {
	case d.chance(.05):
		t.fail = wire.FrameError
	case d.chance(.05):
		t.fail = wire.FramePanic
	}
	if p.bulk && d.chance(.3) {
		t.size = d.from(wire.InlinePayload-100, simPlace-wire.ArenaSlack)
	}
	if d.chance(.1) {
		t.timeout = d.span(3*time.Millisecond, 40*time.Millisecond)
	}
	if d.chance(.1) {
		t.delivery = AtMostOnce
	}
	if d.chance(.08) {
		t.slot = d.IntN(p.cfg.Size)
	}
	if d.chance(.15) {
		t.cancel = d.span(time.Microsecond, 40*time.Millisecond)
	}
	if p.weather.rate[atExec] > 0 && d.chance(.03) {
		how := []process.Status{
			{Code: 42}, {Code: -1, Signal: syscall.SIGKILL}, {Code: -1, Signal: syscall.SIGABRT}, {},
		}[d.IntN(4)]
		t.poison = &how
	}
	return t
}

// String tells the plan in a few lines, for the report of a failure.
func (p *simPlan) String() string {
	var b strings.Builder
	c := p.cfg
	fmt.Fprintf(&b,
		"weather %q until %v, %d strikes, initializer broken %v, faults from the start: %v; ends %v at %v\n",
		p.weather.name, p.heal, len(p.strikes), p.broken, p.early, p.ending, p.endAt)
	c.start, c.jitter, c.Initializer, c.Logger = nil, nil, nil, nil
	fmt.Fprintf(&b, "config %+v\n", c)
	for _, t := range p.tasks {
		fmt.Fprintf(&b, "task %d: work %v", t.n, t.work)
		tell := func(cond bool, format string, args ...any) {
			if cond {
				fmt.Fprintf(&b, format, args...)
			}
		}
		tell(t.fail == wire.FrameError, ", fails")
		tell(t.fail == wire.FramePanic, ", panics")
		tell(t.poison != nil, ", kills its worker")
		tell(t.size > simArgSize, ", %d bytes", t.size)
		tell(t.timeout > 0, ", timeout %v", t.timeout)
		tell(t.delivery == AtMostOnce, ", at most once")
		tell(t.slot >= 0, ", on slot %d", t.slot)
		tell(t.cancel > 0, ", cancelled after %v (obedient: %v)", t.cancel, t.obedient)
		b.WriteByte('\n')
	}
	return b.String()
}

// dice are one stream of chance, safe for concurrent use. Everything that happens beside something else has dice of its
// own, so that the order in which they are thrown does not matter.
type dice struct{ *rand.Rand }

// diceSource is a source with a lock.
type diceSource struct {
	mu  sync.Mutex
	pcg rand.PCG
}

func (s *diceSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pcg.Uint64()
}

// The streams of chance of one seed. Each worker has those from diceFault on for itself.
const (
	dicePlan = iota
	diceJitter
	diceOutside
	diceFault
	diceDeath
	diceKill
	diceToWorker
	diceToParent
	diceControl
	diceOutput
)

func newDice(seed uint64, stream, worker int) dice {
	s := &diceSource{}
	s.pcg.Seed(seed, uint64(worker)<<8|uint64(stream))
	return dice{rand.New(s)}
}

func (d dice) chance(p float64) bool { return d.Float64() < p }

func (d dice) from(low, high int) int { return low + d.IntN(high-low+1) }

// span is a duration between the two, each order of magnitude as likely as the others. Nanoseconds are drawn too, so
// that two things hardly ever happen at the same instant and a seed gives the same story every time.
func (d dice) span(low, high time.Duration) time.Duration {
	l, h := math.Log(float64(low)), math.Log(float64(high))
	return time.Duration(math.Exp(l + d.Float64()*(h-l)))
}

// weighted picks an index with a probability in proportion to its weight.
func (d dice) weighted(n int, weight func(int) int) int {
	total := 0
	for i := range n {
		total += weight(i)
	}
	at := d.IntN(total)
	for i := range n {
		if at -= weight(i); at < 0 {
			return i
		}
	}
	panic("unreachable: the weights add up")
}

// simPart is one thing that a plan has and can do without: a task, an order of the pool's owner, a strike from outside,
// or the faults of one site.
type simPart struct {
	name string
	drop func(*simPlan)
}

// parts lists what can be left out of a plan.
func (p *simPlan) parts() (list []simPart) {
	part := func(drop func(*simPlan), format string, args ...any) {
		list = append(list, simPart{fmt.Sprintf(format, args...), drop})
	}
	for _, lane := range p.lanes {
		for _, step := range lane {
			for _, t := range step.tasks {
				part(func(p *simPlan) { p.dropTask(t.n) }, "task %d", t.n)
			}
		}
	}
	for _, o := range p.admin {
		part(func(p *simPlan) {
			p.admin = slices.DeleteFunc(p.admin, func(other simOrder) bool { return other == o })
		}, "order %d at %v", o.what, o.at)
	}
	for _, at := range p.strikes {
		part(func(p *simPlan) {
			p.strikes = slices.DeleteFunc(p.strikes, func(other time.Duration) bool { return other == at })
		}, "a strike at %v", at)
	}
	for site, rate := range p.weather.rate {
		if rate > 0 {
			part(func(p *simPlan) { p.weather.rate[site] = 0 }, "faults at site %d", site)
		}
	}
	if p.broken[1] > 0 {
		part(func(p *simPlan) { p.broken[0], p.broken[1] = 0, 0 }, "a broken initializer")
	}
	return list
}

// dropTask has nobody submit a task.
func (p *simPlan) dropTask(n int) {
	for l := range p.lanes {
		for s := range p.lanes[l] {
			step := &p.lanes[l][s]
			step.tasks = slices.DeleteFunc(step.tasks, func(t *simTask) bool { return t.n == n })
			step.after = min(step.after, len(step.tasks))
		}
		p.lanes[l] = slices.DeleteFunc(p.lanes[l], func(s simStep) bool { return len(s.tasks) == 0 })
	}
}

// shrinkSimulation leaves out of a seed's plan what can be left out so that the promise is broken still, and names what
// remains. A seed does not tell the same story every time, so that a part is run up to three times.
func shrinkSimulation(t *testing.T, seed uint64, m mutant, promise string) (left []string) {
	all := newSimPlan(seed).parts()
	part, err := ddmin.Min(all, func(part []simPart) (bool, error) {
		keeps := map[string]bool{}
		for _, p := range part {
			keeps[p.name] = true
		}
		yes, _, err := ddmin.Vote{Runs: 3, Need: 1}.Ask(t.Context(), 1, func(context.Context) (bool, error) {
			s := simulatePlan(t, seed, m, func(plan *simPlan) {
				for _, p := range all {
					if !keeps[p.name] {
						p.drop(plan)
					}
				}
			})
			return slices.ContainsFunc(s.violations, func(v string) bool { return promiseOf(v) == promise }), nil
		})
		return yes > 0, err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range part {
		left = append(left, p.name)
	}
	return left
}

// promiseOf is the promise that a violation is of.
func promiseOf(violation string) string {
	promise, _, _ := strings.Cut(violation, ": ")
	return promise
}

// A mutant's failing plan comes down to a handful of its parts, and those break the same promise.
func TestAFailingPlanShrinks(t *testing.T) {
	takes.Seconds(t)
	for _, m := range []mutant{mutantNone + 1, mutantNone + 2} {
		t.Run(m.String(), func(t *testing.T) {
			g := NewWithT(t)
			for seed := uint64(1); seed <= 2000; seed++ {
				s := simulate(t, seed, m)
				if len(s.violations) == 0 {
					continue
				}
				all := s.plan.parts()
				left := shrinkSimulation(t, seed, m, promiseOf(s.violations[0]))
				t.Logf("seed %d: %d of %d parts break %q: %s", seed, len(left), len(all), promiseOf(s.violations[0]),
					strings.Join(left, ", "))
				g.Expect(len(left)).To(BeNumerically("<=", len(all)/2))
				return
			}
			t.Error("no seed breaks a promise with this mutant")
		})
	}
}
