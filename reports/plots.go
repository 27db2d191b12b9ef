package reports

import (
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// plots is what the page's figures are drawn from, gathered in one pass.
type plots struct {
	stages   []stage
	ready    bins[readyBin]
	load     bins[loadBin]
	host     bins[hostBin]
	pressure bins[pressureBin]
	lanes    map[int]*lane
	byPID    map[int]*lane
	victims  map[int]int           // injection → slot, until it is settled
	deaths   map[int]death         // injection → the death that its slot has not recovered from
	answers  map[int]time.Duration // injection that is not settled → when its probe was answered; negative: it failed
	recover  []recovery
	fatal    int // deaths in all
	tasks    map[uint64]*taskLine
	troubled map[string]int // how many were bad, how many only retried
	notes    []string
	line     int         // of the event at hand
	lost     uint64      // events that the recorder dropped
	up       map[int]int // slot → the pid that is ready in it
	want     int
	now      int            // how many are ready, -1 before that is known
	since    time.Duration  // until when that is in the bins
	events   bool           // the target tells of its members: how many are ready is known at any time, not only by samples
	stopped  bool           // the target is being stopped: what it has less from here on is meant so
	ends     map[int][]Exit // by pid, once they are all known
}

// stage is a part of the run.
type stage struct {
	name string
	at   time.Duration
}

// readyBin is how many members were ready in a bin: the fewest, at its end, and over its time.
type readyBin struct {
	seen               bool
	fewest, last, want int
	known, members     time.Duration // of the bin's time, how much is known, and the same for each member that was ready
}

// mean is how many were ready over the time that is known.
func (b readyBin) mean() float64 {
	if b.known == 0 {
		return float64(b.last)
	}
	return float64(b.members) / float64(b.known)
}

// loadBin is what settled in a bin.
type loadBin struct {
	ok, bad int
	latency latencies
}

// hostBin is the largest figures of the members and the harness in a bin; CPU is the last, and at is when that was.
type hostBin struct {
	seen             bool
	rss, parent      int64
	fds, goroutines  int
	cpu, at          time.Duration
	orphans, zombies int
}

// lane is one slot's row of bars.
type lane struct {
	bars  []bar
	ticks bins[int]
	left  int
}

// bar is one member's life.
type bar struct {
	pid, gen        int
	from, ready, to time.Duration // ready and to: -1 while it is not
	exit            *history.Exit
	reason          string
}

type death struct {
	slot int
	at   time.Duration
}

// recovery is one death and how long its slot took to be of use again; negative: it never was.
type recovery struct {
	fault, slot int
	at          time.Duration
	took        time.Duration
}

// taskLine is what is known of one submission until it has settled well.
type taskLine struct {
	id                 uint64
	submitted, settled time.Duration
	outcome            history.Outcome
	attempts           int
	err                string
	runs               []history.Run
	lines              [2]int // of the history: its submission and its end
}

// What one page shows at most.
const (
	maxSlots    = 1 << 16 // are kept at all
	maxBars     = 500     // of a lane
	maxPoints   = 1500    // deaths
	maxTroubled = 200     // of a kind
	maxNotes    = 200
	maxStages   = 20
)

func newPlots(t history.Target) plots {
	return plots{
		line: 1, want: t.Size, now: -1, events: slices.Contains(t.Can, "events"), up: map[int]int{},
		ready: newBins(func(into *readyBin, b readyBin) {
			switch {
			case !b.seen:
			case !into.seen:
				b.known, b.members = b.known+into.known, b.members+into.members
				*into = b
			default:
				into.fewest, into.last, into.want = min(into.fewest, b.fewest), b.last, b.want
				into.known, into.members = into.known+b.known, into.members+b.members
			}
		}),
		load: newBins(func(into *loadBin, b loadBin) {
			into.ok += b.ok
			into.bad += b.bad
			into.latency.merge(b.latency)
		}),
		host:     newBins(func(into *hostBin, b hostBin) { into.grow(b) }),
		pressure: newBins(func(into *pressureBin, b pressureBin) { into.grow(b) }),
		lanes:    map[int]*lane{}, byPID: map[int]*lane{}, deaths: map[int]death{}, victims: map[int]int{}, answers: map[int]time.Duration{}, tasks: map[uint64]*taskLine{}, troubled: map[string]int{},
	}
}

func (h *hostBin) grow(b hostBin) {
	if !b.seen {
		return
	}
	h.seen = true
	h.rss, h.parent = max(h.rss, b.rss), max(h.parent, b.parent)
	h.fds, h.goroutines = max(h.fds, b.fds), max(h.goroutines, b.goroutines)
	h.orphans, h.zombies = max(h.orphans, b.orphans), max(h.zombies, b.zombies)
	h.cpu, h.at = b.cpu, b.at
}

func (p *plots) add(e history.Event) {
	p.line++
	switch {
	case e.Task != nil:
		p.task(e.T, e.Task)
	case e.Run != nil:
		p.run(e.Run)
	case e.Member != nil:
		p.member(e.T, e.Member)
	case e.Fault != nil:
		p.fault(e.T, e.Fault)
	case e.Probe != nil:
		p.probe(e.T, e.Probe)
	case e.Sample != nil:
		p.sample(e.T, e.Sample)
	case e.Host != nil:
		p.hostLook(e.T, e.Host)
	case e.Stage != nil && len(p.stages) < maxStages:
		p.stages = append(p.stages, stage{string(e.Stage.Name), e.T})
		if p.stopped = e.Stage.Name == history.Stop; p.stopped {
			p.hold(e.T)
		}
	case e.Alarm != nil:
		p.note(e.T, e.Alarm.String())
	case e.Note != nil:
		p.lost += e.Note.Dropped
		p.note(e.T, e.Note.Text)
	}
}

func (p *plots) note(t time.Duration, text string) {
	if len(p.notes) < maxNotes {
		p.notes = append(p.notes, seconds(t.Seconds())+"  "+clip(text, maxText))
	}
}

func (p *plots) sample(t time.Duration, s *history.Sample) {
	if p.stopped {
		return
	}
	if p.want = s.Want; !p.events {
		p.count(t, min(s.Ready, s.Alive))
	}
	p.host.at(t).grow(hostBin{true, s.RSS, s.ParentRSS, s.FDs, s.Goroutines, s.CPU, t, s.Orphans, s.Zombies})
}

// count takes how many members are ready from now on.
func (p *plots) count(t time.Duration, n int) {
	p.hold(t)
	p.ready.join(p.ready.at(t), readyBin{seen: true, fewest: n, last: n, want: p.want})
	p.now = n
}

// hold says that so many were ready as last counted, up to that time.
func (p *plots) hold(to time.Duration) {
	if p.now < 0 {
		p.since = to
		return
	}
	p.ready.at(to) // which may widen the bins
	for p.since < to {
		next := min(to, (p.since/p.ready.width+1)*p.ready.width)
		d := next - p.since
		p.ready.join(p.ready.at(p.since), readyBin{seen: true, fewest: p.now, last: p.now, want: p.want, known: d, members: time.Duration(p.now) * d})
		p.since = next
	}
}

// turn follows who is ready.
func (p *plots) turn(t time.Duration, m *history.MemberEvent) {
	pid, was := p.up[m.Slot]
	switch {
	case m.Op == history.Ready:
		p.up[m.Slot] = m.PID
	case (m.Op == history.Exited || m.Op == history.Retiring) && was && pid == m.PID:
		delete(p.up, m.Slot)
	default:
		return
	}
	if p.events && !p.stopped {
		p.count(t, len(p.up))
	}
}

// task keeps the ledger to submissions that are open or came to a bad end.
func (p *plots) task(t time.Duration, k *history.Task) {
	if k.Op == history.Submitted {
		p.tasks[k.ID] = &taskLine{id: k.ID, submitted: t, settled: -1, lines: [2]int{p.line}}
		return
	}
	bin := p.load.at(t)
	bin.latency.add(k.Latency)
	if k.Outcome == history.OK {
		bin.ok++
	} else {
		bin.bad++
	}
	l := p.tasks[k.ID]
	if l == nil {
		return
	}
	l.lines[1] = p.line
	l.settled, l.outcome, l.attempts, l.err = t, k.Outcome, k.Attempts, clip(k.Err, maxText)
	kind := "bad"
	if k.Outcome == history.OK {
		kind = "retried"
		if k.Attempts <= 1 {
			delete(p.tasks, k.ID)
			return
		}
	}
	if p.troubled[kind]++; p.troubled[kind] > maxTroubled {
		delete(p.tasks, k.ID)
	}
}

func (p *plots) run(r *history.Run) {
	if l := p.tasks[r.Task]; l != nil && len(l.runs) < 20 {
		l.runs = append(l.runs, *r)
	}
	if l := p.byPID[r.PID]; l != nil {
		*l.ticks.at(r.Start)++
	}
}

func (p *plots) lane(slot int) *lane {
	l := p.lanes[slot]
	if l == nil {
		l = &lane{ticks: newBins(func(into *int, n int) { *into += n })}
		p.lanes[slot] = l
	}
	return l
}

func (p *plots) member(t time.Duration, m *history.MemberEvent) {
	if m.Slot < 0 || m.Slot >= maxSlots {
		return
	}
	p.turn(t, m)
	l := p.lane(m.Slot)
	p.byPID[m.PID] = l
	last := len(l.bars) - 1
	same := last >= 0 && l.bars[last].pid == m.PID && l.bars[last].to < 0
	switch {
	case m.PID == 0:
	case (m.Op == history.Started || m.Op == history.Ready) && !same && len(l.bars) >= maxBars:
		l.left++
	case m.Op == history.Started || m.Op == history.Ready && !same:
		l.bars = append(l.bars, bar{pid: m.PID, gen: m.Gen, from: t, ready: -1, to: -1})
		if m.Op == history.Ready {
			l.bars[len(l.bars)-1].ready = t
		}
	case m.Op == history.Ready:
		l.bars[last].ready = t
	case m.Op == history.Exited && same:
		l.bars[last].to, l.bars[last].exit, l.bars[last].reason = t, m.Exit, m.Reason
	}
}

func (p *plots) fault(t time.Duration, f *history.Fault) {
	if f.Victim != nil {
		p.victims[f.N] = f.Victim.Slot
	}
	slot, ok := p.victims[f.N]
	if f.Op != history.Concluded {
		return
	}
	back, answered := p.answers[f.N]
	delete(p.victims, f.N)
	delete(p.answers, f.N)
	if !f.Fatal || !ok || slot < 0 {
		return
	}
	p.fatal++
	d := death{slot, t}
	if f.Receipt != nil && f.Receipt.At > 0 {
		d.at = f.Receipt.At
	}
	if answered {
		p.recovered(f.N, d, back)
	} else {
		p.deaths[f.N] = d
	}
}

// probe ends the recovery of the injection that it was sent for, which may be settled later.
func (p *plots) probe(t time.Duration, pr *history.Probe) {
	if pr.For == 0 || pr.Op == history.Sent {
		return
	}
	if pr.Op == history.NoAnswer {
		t = -1
	}
	if d, ok := p.deaths[pr.For]; ok {
		delete(p.deaths, pr.For)
		p.recovered(pr.For, d, t)
	} else if _, open := p.victims[pr.For]; open {
		p.answers[pr.For] = t
	}
}

// recovered keeps a recovery; back is negative if there was none.
func (p *plots) recovered(n int, d death, back time.Duration) {
	if len(p.recover) >= maxPoints {
		return
	}
	took := back - d.at
	if back < 0 {
		took = -1
	}
	p.recover = append(p.recover, recovery{fault: n, slot: d.slot, at: d.at, took: took})
}
