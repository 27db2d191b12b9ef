// Package ledger folds the events of a history, once and in order, into what happened: which faults were injected, who
// lived and died and of what, which slots came back, what became of each task, how many members were ready, and how the
// host was. The judge judges it, reports draw it, and a run that goes on shows it: what two of them say is the same
// because it is told once.
//
// What is exported is for reading. Figures are [Reading]s: without samples there is no data.
package ledger

import (
	"fmt"
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Ledger is all that is told from the events so far. Every event goes through it once, in order; what it keeps grows
// with the tasks, deaths and samples of the run, by a few dozen bytes each.
type Ledger struct {
	Header history.Header
	// tasks that settled are only counted: for showing a run that goes on, whatever its length
	Forget      bool
	Line        int           // of the event at hand
	Now         time.Duration // of the event at hand
	Stage       Stage
	Stopped     bool          // an alarm ended the run early: what the target does from then on says nothing about it
	Alarmed     time.Duration // when it did
	End         *history.End
	Account     *history.Account // the last one
	AccountLine int
	Alarms      []Alarm
	Dropped     uint64
	Broken      error // what reading the history failed with
	Entered     [stop + 1]bool
	Began       [stop + 1]time.Duration // of the stages that were entered
	Strange     Sighting                // the first line that no harness writes

	Members    Members
	Whole      Whole
	Slots      Slots
	Probes     Probes
	Injections Injections
	Tasks      Tasks
	Load       Load
	Looks      Looks
	Host       Host
	Settling   Settling

	Evidence Evidence
	Together Together
	Queues   Queues
	Between  Between
	Gaps     Gaps
	Lives    Lives
	Series   Series
	Log      Log
}

// Alarm is one of the record, with its line.
type Alarm struct {
	history.Alarm
	Line int
	At   time.Duration
}

// Stage is a part of the run; they are in order.
type Stage int

// The stages, without the first and the last.
const (
	boot Stage = iota
	Warmup
	Steady
	Chaos
	Settle
	Verify
	stop
)

// Stages are the names of the stages, in their order.
var Stages = []history.StageName{
	history.Boot, history.Warmup, history.Steady, history.Chaos, history.Settle, history.Verify, history.Stop,
}

// New begins a ledger for the history with that header.
func New(h history.Header) *Ledger {
	s := &Ledger{Header: h}
	s.Members.init()
	s.Whole.init(h.Target.Size, s.Can("events"))
	s.Slots.init()
	s.Probes.init()
	s.Injections.init()
	s.Tasks.init()
	s.Evidence.init()
	s.Together.init()
	s.Queues.init()
	s.Lives.init()
	s.Series.init()
	return s
}

// Can tells whether the target says this of itself.
func (s *Ledger) Can(what string) bool { return slices.Contains(s.Header.Target.Can, what) }

// Ranged tells whether the target itself changes how many members it has.
func (s *Ledger) Ranged() bool { return s.Header.Target.Most > 0 }

// Add takes the next event. looked tells that it was a look at the target while it was to be up.
func (s *Ledger) Add(line int, e *history.Event) (looked bool) {
	s.Line, s.Now = line, e.T
	s.Lives.add(line, e)
	s.Series.add(e, s)
	s.Log.add(e)
	switch {
	case e.Run != nil:
		s.run(e.Run)
	case e.Fault != nil:
		s.fault(e.Fault)
	case e.Alarm != nil:
		s.Alarms = append(s.Alarms, Alarm{*e.Alarm, line, e.T})
		if !s.Stopped {
			s.Stopped, s.Alarmed = true, e.T
		}
	case e.Note != nil:
		s.Dropped += e.Note.Dropped
		s.Evidence.Torn += e.Note.Torn
	case e.End != nil:
		s.End = e.End
	case e.Host != nil:
		s.hostLook(e.Host)
	case s.Stopped:
	case e.Stage != nil:
		s.enter(e.Stage.Name)
	case e.Task != nil:
		s.task(e.Task)
	case e.Member != nil:
		s.member(e.Member)
	case e.Probe != nil:
		s.probe(e.Probe)
	case e.Account != nil:
		s.Account, s.AccountLine = e.Account, line
	case e.Sample != nil:
		s.sample(e.Sample)
		return s.Stage != stop
	}
	return false
}

func (s *Ledger) enter(name history.StageName) {
	next := Stage(slices.Index(Stages, name))
	if next < 0 {
		return
	}
	if slices.Contains(s.Entered[next:], true) {
		s.malformed("the stage %s comes after %s", name, Stages[s.Stage])
	}
	s.Entered[next], s.Began[next] = true, s.Now
	s.Load.enter(next, s.Now)
	if next == Chaos {
		s.Evidence.struck = s.Now
		s.Whole.add(change{at: s.Now, kind: struck, line: s.Line})
		s.Members.struck = s.Now
	}
	if next == stop && s.Stage < stop {
		s.Evidence.closed = s.Now
		s.close()
	}
	s.Stage = next
}

// malformed notes that the line at hand is one that no harness writes.
func (s *Ledger) malformed(format string, args ...any) {
	if s.Strange.Line == 0 {
		s.Strange = Sighting{Line: s.Line, Err: fmt.Sprintf(format, args...)}
	}
}

// close ends what is still open when the target is about to be stopped: what has not happened by now never will.
func (s *Ledger) close() {
	s.Whole.close(s.Now)
	s.Slots.close()
}

// Until is up to when what is going on counts: now, or when the run was ended early.
func (s *Ledger) Until() time.Duration {
	if s.Stopped {
		return s.Alarmed
	}
	return s.Now
}

// Complete tells whether the run came to its own end, so that what is missing is missing.
func (s *Ledger) Complete() bool {
	return s.Broken == nil && !s.Stopped && s.End != nil && !s.End.Aborted
}

// TimedOut tells whether the run ended for want of time.
func (s *Ledger) TimedOut() bool {
	return slices.ContainsFunc(s.Alarms, func(a Alarm) bool { return a.Kind == history.AlarmTimeout })
}

// Finish is called after the last event.
func (s *Ledger) Finish() {
	if s.Stage < stop && s.Complete() {
		s.close()
	}
	s.Load.enter(stop, s.Now)
	s.detect()
	s.Tasks.finish(s)
	s.Evidence.finish(s)
	s.Between.finish(s)
}
