package bench

import (
	"strconv"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

const (
	storySize = 8                // members
	storyKill = 1000             // tasks between two kills
	storyTick = time.Millisecond // between two steps of a recovery
	storyTask = 20 * time.Microsecond
)

// story writes the history of a run in which all goes well: tasks, kills and recoveries.
type story struct {
	w     *history.Writer
	now   time.Duration
	err   error
	pids  [storySize]int
	gens  [storySize]int
	next  int // pid
	task  uint64
	kills int
}

// writeHistory writes a history of that many events, a thousand at least.
func writeHistory(path string, events int) error {
	s := &story{next: 1000}
	h := history.Header{
		Scenario: "bench", Started: time.Unix(1_700_000_000, 0), Cores: 2,
		Target:  history.Target{Kind: "pool", Name: "bench", Size: storySize, Can: []string{"events", "phases", "exits", "attempts", "slots"}},
		Load:    &history.Load{Task: "sleep", Concurrency: 1},
		Rules:   []history.Rule{{Group: "expect", Text: "tasks.lost == 0", Metric: "tasks.lost", Op: "=="}},
		Nemesis: []history.Nemesis{{Fault: "signal KILL", Pick: "random 1", When: "every 20ms", Require: 1}},
	}
	w, err := history.Create(path, h, history.Options{Now: func() time.Duration { return s.now }})
	if err != nil {
		return err
	}
	s.w = w
	s.stage("boot")
	for slot := range storySize {
		s.start(slot)
	}
	s.stage("steady")
	s.work(100)
	s.sample()
	s.stage("chaos")
	for w.Events() < events-10*storySize-3*storyKill {
		s.kill(s.kills % storySize)
		s.work(storyKill)
		s.sample()
	}
	s.stage("settle")
	s.sample()
	for w.Events() < events-3*storySize-10 {
		s.work(1)
	}
	s.stage("verify")
	for slot := range storySize {
		s.probe(slot, 0)
	}
	s.sample()
	s.stage("stop")
	if s.err != nil {
		return s.err
	}
	return w.Close(false)
}

func (s *story) add(e history.Event) {
	if s.err == nil {
		s.err = s.w.Append(e)
	}
}

func (s *story) stage(name string) { s.add(history.Event{Stage: &history.Stage{Name: name}}) }

func (s *story) sample() {
	s.add(history.Event{Sample: &history.Sample{
		Want: storySize, Ready: storySize, Alive: storySize, RSS: 32 << 20, ParentRSS: 20 << 20, FDs: 60, Goroutines: 40, CPU: s.now,
	}})
}

func (s *story) start(slot int) {
	s.next++
	s.gens[slot]++
	s.pids[slot] = s.next
	s.now += storyTick
	s.member(slot, "started", nil)
	s.now += storyTick
	s.member(slot, "ready", nil)
}

func (s *story) member(slot int, op string, exit *history.Exit) {
	name := "Worker-" + strconv.Itoa(s.pids[slot])
	s.add(history.Event{Member: &history.Member{Op: op, Slot: slot, Gen: s.gens[slot], PID: s.pids[slot], Name: name, Exit: exit}})
}

// work is tasks that are submitted, run and settled.
func (s *story) work(tasks int) {
	for range tasks {
		s.task++
		pid, began := s.pids[s.task%storySize], s.now
		s.add(history.Event{Task: &history.Task{ID: s.task, Op: "submitted"}})
		s.now += storyTask
		s.add(history.Event{Task: &history.Task{ID: s.task, Op: "settled", Outcome: history.OK, Latency: storyTask, Attempts: 1, PID: pid}})
		s.add(history.Event{Run: &history.Run{Task: s.task, Attempt: 1, PID: pid, Start: began, End: s.now}})
	}
}

// kill is a confirmed SIGKILL, the death, the replacement and its first answer.
func (s *story) kill(slot int) {
	s.kills++
	victim := &history.Victim{Slot: slot, Gen: s.gens[slot], PID: s.pids[slot], Phase: "idle"}
	s.add(history.Event{Fault: &history.Fault{N: s.kills, Op: "injected", Fault: "signal KILL", Victim: victim, Due: s.now}})
	s.now += storyTick
	died := s.now
	s.member(slot, "exited", &history.Exit{Code: -1, Signal: "SIGKILL", Kind: "killed"})
	receipt := &history.Receipt{Tier: "wait status", Evidence: map[string]string{"signal": "SIGKILL"}, At: died}
	s.add(history.Event{Fault: &history.Fault{
		N: s.kills, Op: "settled", Fault: "signal KILL", Victim: victim, Outcome: "confirmed", Receipt: receipt, Fatal: true,
	}})
	s.start(slot)
	s.probe(slot, s.kills)
}

func (s *story) probe(slot, injection int) {
	s.add(history.Event{Probe: &history.Probe{Slot: slot, Op: "sent", For: injection}})
	s.now += storyTick
	s.add(history.Event{Probe: &history.Probe{Slot: slot, Op: "answered", For: injection, PID: s.pids[slot]}})
}
