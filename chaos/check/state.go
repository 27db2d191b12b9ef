package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// state is all that is told from the events so far. Every event goes through it once, in order; what it keeps grows with
// the tasks, deaths and samples of the run, by a few dozen bytes each.
type state struct {
	h       history.Header
	line    int // of the event at hand
	now     time.Duration
	stage   stage
	stopped bool          // an alarm ended the run early: what the target does from then on says nothing about it
	alarmed time.Duration // when it did
	end     *history.End
	alarms  []alarm
	dropped uint64
	broken  error // what reading the history failed with
	entered [stop + 1]bool
	began   [stop + 1]time.Duration // of the stages that were entered
	strange sighting                // the first line that no harness writes

	crew     crew
	whole    whole
	slots    slots
	probes   probes
	faults   faults
	account  account
	load     load
	looks    looks
	host     host
	settling settling
	watch    watch

	evidence evidence
	together together
}

type alarm struct {
	history.Alarm
	line int
}

// stage is a part of the run; they are in order.
type stage int

const (
	boot stage = iota
	warmup
	steady
	chaos
	settle
	verify
	stop
)

var stages = []history.StageName{history.Boot, history.Warmup, history.Steady, history.Chaos, history.Settle, history.Verify, history.Stop}

func newState(h history.Header) *state {
	s := &state{h: h}
	s.crew.init()
	s.whole.init(h.Target.Size, s.can("events"))
	s.slots.init()
	s.probes.init()
	s.faults.init()
	s.account.init()
	s.evidence.init()
	s.together.init()
	s.watch.init(h.Rules)
	return s
}

// can tells whether the target says this of itself.
func (s *state) can(what string) bool { return slices.Contains(s.h.Target.Can, what) }

// add takes the next event.
func (s *state) add(line int, e *history.Event) {
	s.line, s.now = line, e.T
	switch {
	case e.Run != nil:
		s.run(e.Run)
	case e.Fault != nil:
		s.fault(e.Fault)
	case e.Alarm != nil:
		s.alarms = append(s.alarms, alarm{*e.Alarm, line})
		if !s.stopped {
			s.stopped, s.alarmed = true, e.T
		}
	case e.Note != nil:
		s.dropped += e.Note.Dropped
		s.evidence.torn += e.Note.Torn
	case e.End != nil:
		s.end = e.End
	case e.Host != nil:
		s.hostLook(e.Host)
	case s.stopped:
	case e.Stage != nil:
		s.enter(e.Stage.Name)
	case e.Task != nil:
		s.task(e.Task)
	case e.Member != nil:
		s.member(e.Member)
	case e.Probe != nil:
		s.probe(e.Probe)
	case e.Sample != nil:
		s.sample(e.Sample)
	}
}

func (s *state) enter(name history.StageName) {
	next := stage(slices.Index(stages, name))
	if next < 0 {
		return
	}
	if slices.Contains(s.entered[next:], true) {
		s.odd("the stage %s comes after %s", name, stages[s.stage])
	}
	s.entered[next], s.began[next] = true, s.now
	s.load.enter(next, s.now)
	if next == chaos {
		s.evidence.struck = s.now
		s.whole.add(change{at: s.now, kind: struck, line: s.line})
		s.crew.struck = s.now
	}
	if next == stop && s.stage < stop {
		s.evidence.closed = s.now
		s.close()
	}
	s.stage = next
}

// odd notes that the line at hand is one that no harness writes.
func (s *state) odd(format string, args ...any) {
	if s.strange.line == 0 {
		s.strange = sighting{line: s.line, err: fmt.Sprintf(format, args...)}
	}
}

// close ends what is still open when the target is about to be stopped: what has not happened by now never will.
func (s *state) close() {
	s.whole.close(s.now)
	s.slots.close()
}

// until is up to when what is going on counts: now, or when the run was ended early.
func (s *state) until() time.Duration {
	if s.stopped {
		return s.alarmed
	}
	return s.now
}

// complete tells whether the run came to its own end, so that what is missing is missing.
func (s *state) complete() bool {
	return s.broken == nil && !s.stopped && s.end != nil && !s.end.Aborted
}

// timedOut tells whether the run ended for want of time.
func (s *state) timedOut() bool {
	return slices.ContainsFunc(s.alarms, func(a alarm) bool { return a.Kind == history.AlarmTimeout })
}

// finish is called after the last event.
func (s *state) finish() {
	if s.stage < stop && s.complete() {
		s.close()
	}
	s.load.enter(stop, s.now)
	s.detect()
	s.account.finish(s)
	s.evidence.finish(s)
}
