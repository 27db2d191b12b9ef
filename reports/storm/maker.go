package storm

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

const (
	boot   = 200 * time.Millisecond // until the load begins
	before = 2 * time.Second        // of load before the first fault
)

// maker goes through one storm, from its first moment to its last.
type maker struct {
	Storm
	rng   *rand.Rand
	yield func(history.Event, error) bool
	now   time.Duration
	over  bool // nobody wants more
	slots []worker
	open  []task // submitted, the oldest first
	runs  []history.Run
	next  uint64 // the next task
	kills int
	pid   int
}

type worker struct{ pid, gen int }

type task struct {
	id       uint64
	slot     int
	at       time.Duration
	attempts int
}

// send yields an event at a time, or now when that is over: lines are in order.
func (m *maker) send(at time.Duration, e history.Event) {
	if m.over {
		return
	}
	m.now = max(m.now, at)
	e.T = m.now
	m.over = !m.yield(e, nil)
}

func (m *maker) stage(at time.Duration, name history.StageName) {
	m.send(at, history.Event{Stage: &history.Stage{Name: name}})
}

func (m *maker) run() {
	m.pid, m.next = 1000, 1
	m.slots = make([]worker, m.Slots)
	m.stage(0, history.Boot)
	for slot := range m.slots {
		m.start(slot, 40*time.Millisecond)
	}
	m.stage(boot, history.Steady)
	m.sample(boot, m.Slots)
	whole := before + m.Length
	step := whole / time.Duration(m.Tasks+1)
	for at := boot; m.next <= uint64(m.Tasks) && !m.over; at += step {
		for m.kills < m.Kills && at >= m.due(m.kills) {
			if m.kills++; m.kills == 1 {
				m.stage(at, history.Chaos)
			}
			m.kill(m.kills, m.due(m.kills-1))
		}
		m.submit(at)
	}
	for len(m.open) > 0 {
		m.settle(m.now + time.Millisecond)
	}
	m.end()
}

// due is when a kill is planned, from 0.
func (m *maker) due(n int) time.Duration {
	return boot + before + time.Duration(n)*(m.Length*9/10)/time.Duration(max(m.Kills, 1))
}

func (m *maker) start(slot int, took time.Duration) {
	m.pid++
	w := worker{m.pid, m.slots[slot].gen + 1}
	m.slots[slot] = w
	member := history.MemberEvent{Slot: slot, Gen: w.gen, PID: w.pid, Name: "Worker-" + m.Text}
	started, ready := member, member
	started.Op, ready.Op = history.Started, history.Ready
	m.send(m.now+time.Millisecond, history.Event{Member: &started})
	m.send(m.now+took, history.Event{Member: &ready})
}

// submit hands in the next task and settles the oldest when there are enough.
func (m *maker) submit(at time.Duration) {
	if len(m.open) >= 4*m.Slots {
		m.settle(at)
	}
	m.open = append(m.open, task{id: m.next, slot: int(m.next) % m.Slots, at: at, attempts: 1})
	m.send(at, history.Event{Task: &history.Task{ID: m.next, Op: history.Submitted}})
	m.next++
}

func (m *maker) settle(at time.Duration) {
	t := m.open[0]
	m.open = m.open[1:]
	pid := m.slots[t.slot].pid
	latency := max(at-t.at, 0) + time.Duration(m.rng.ExpFloat64()*float64(2*time.Millisecond))
	m.send(at, history.Event{Task: &history.Task{
		ID: t.id, Op: history.Settled, Outcome: history.OK, Latency: latency, Attempts: t.attempts, PID: pid,
	}})
	m.runs = append(m.runs,
		history.Run{Task: t.id, Attempt: t.attempts, PID: pid, Start: max(m.now-time.Millisecond, 1), End: m.now})
}

// kill ends the worker of a slot while it runs the slot's oldest task, and lets another take its place.
func (m *maker) kill(n int, due time.Duration) {
	slot := m.rng.IntN(m.Slots)
	w := m.slots[slot]
	phase := "idle"
	for i := range m.open {
		if t := &m.open[i]; t.slot == slot && t.attempts == 1 {
			phase = "running"
			m.runs = append(m.runs, history.Run{Task: t.id, Attempt: 1, PID: w.pid, Start: m.now})
			t.attempts = 2
			break
		}
	}
	fault := history.Fault{
		N: n, Fault: "signal KILL",
		Victim: &history.Victim{Slot: slot, Gen: w.gen, PID: w.pid, Name: "Worker-" + m.Text, Phase: phase},
	}
	planned, settled := fault, fault
	planned.Op, planned.Due = history.Planned, due
	m.send(due, history.Event{Fault: &planned})
	m.exit(m.now+time.Millisecond, slot, &history.Exit{Code: -1, Signal: "SIGKILL", Kind: "killed", Stderr: m.Text})
	settled.Op, settled.Outcome, settled.Fatal = history.Concluded, history.Confirmed, true
	settled.Receipt = &history.Receipt{
		Tier: "wait status", At: m.now,
		Evidence: map[string]string{"kernel": "signal SIGKILL", "note" + m.Text: m.Text},
	}
	m.send(m.now, history.Event{Fault: &settled})
	m.sample(m.now, m.Slots-1)
	m.start(slot, time.Duration(5+m.rng.ExpFloat64()*4)*time.Millisecond)
	m.send(m.now+time.Millisecond,
		history.Event{Probe: &history.Probe{Slot: slot, Op: history.Answered, For: n, PID: m.slots[slot].pid}})
	m.sample(m.now, m.Slots)
	if m.Broken && n == (m.Kills+1)/2 {
		m.crash((slot + 1) % m.Slots)
	}
}

func (m *maker) exit(at time.Duration, slot int, x *history.Exit) {
	w := m.slots[slot]
	m.send(at, history.Event{Member: &history.MemberEvent{
		Op: history.Exited, Slot: slot, Gen: w.gen, PID: w.pid, Name: "Worker-" + m.Text, Exit: x,
	}})
}

// crash ends a worker that nobody aimed at, and fails a task of it.
func (m *maker) crash(slot int) {
	m.exit(m.now, slot,
		&history.Exit{Code: 3, Kind: "crashed", Stderr: m.Text + strings.Repeat("last words ", 100_000)})
	m.send(m.now, history.Event{Note: &history.Note{Text: m.Text}})
	if len(m.open) > 0 {
		t := m.open[0]
		m.open = m.open[1:]
		m.send(m.now, history.Event{Task: &history.Task{
			ID: t.id, Op: history.Settled, Outcome: history.Failed, Err: "gone " + m.Text, Attempts: t.attempts,
		}})
	}
	m.start(slot, 10*time.Millisecond)
}

func (m *maker) sample(at time.Duration, ready int) {
	m.send(at, history.Event{Sample: &history.Sample{
		Want: m.Slots, Ready: ready, Alive: ready, RSS: int64(ready)<<23 + m.rng.Int64N(1<<20), ParentRSS: 30 << 20,
		FDs: 40 + ready, Goroutines: 60, CPU: at / 3,
	}})
}

// end settles, verifies and stops.
func (m *maker) end() {
	m.stage(m.now, history.Settle)
	m.sample(m.now+time.Millisecond, m.Slots)
	m.stage(m.now+100*time.Millisecond, history.Verify)
	for slot, w := range m.slots {
		m.send(m.now, history.Event{Probe: &history.Probe{Slot: slot, Op: history.Answered, PID: w.pid}})
	}
	m.sample(m.now+time.Millisecond, m.Slots)
	m.stage(m.now+10*time.Millisecond, history.Stop)
	for slot := range m.slots {
		w := m.slots[slot]
		m.send(m.now, history.Event{Member: &history.MemberEvent{
			Op: history.Exited, Slot: slot, Gen: w.gen, PID: w.pid, Reason: "stop", Exit: &history.Exit{Kind: "clean"},
		}})
	}
	m.send(m.now, history.Event{Sample: &history.Sample{}})
	for i := range m.runs {
		m.send(m.now, history.Event{Run: &m.runs[i]})
	}
}
