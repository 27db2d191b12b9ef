// Package export tells what happened in a run in the languages of those who look at running systems: Prometheus, OpenTelemetry,
// Grafana, spreadsheets. It is made from a history, at any time after the run.
package export

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Kind is what a span is of.
type Kind string

// The kinds of spans, from the run down: a recovery is within its fault, an attempt within its task, all others within the run.
const (
	OfRun      Kind = "run"
	OfStage    Kind = "stage"
	OfFault    Kind = "fault"    // from the injection until it is settled, or healed
	OfRecovery Kind = "recovery" // from the death until its slot has answered
	OfWorker   Kind = "worker"   // from its start to its end
	OfTask     Kind = "task"     // from its submission to its outcome
	OfAttempt  Kind = "attempt"  // an execution, by the task's own witness
	OfAlarm    Kind = "alarm"    // why the run ended early; it takes no time
)

// Span is something that took a while.
type Span struct {
	Kind       Kind
	ID         string        // with Kind, its own within the run: a number
	Parent     *Span         // nil: it is the run
	Name       string        // after the kind: "signal KILL", "of slot 3"; "" of tasks
	Start, End time.Duration // since the run began
	Open       bool          // nobody saw its end: End is the run's
	Failed     string        // why it is no success; "" if it is
	Slot       int           // -1: it has none
	PID        int           // 0: it has none
	Facts      map[string]string
}

// Title is the span in words: "recovery of slot 3".
func (s *Span) Title() string { return strings.TrimSpace(string(s.Kind) + " " + s.Name) }

// Run is a run as spans.
type Run struct {
	Header history.Header
	// Spans begins with the run's own; every other comes after its parent.
	Spans []*Span
	// Left is how many tasks are left out: with no limit, none.
	Left int
}

// Fold reads a history into spans. Of the tasks that ended well at the first attempt it keeps so many; below 0 all of them.
func Fold(h history.Header, events iter.Seq2[history.Event, error], plainTasks int) (*Run, error) {
	f := &folder{
		run:    &Span{Kind: OfRun, ID: "1", Name: h.Scenario, Slot: -1, Facts: map[string]string{"target": h.Target.Name, "seed": strconv.FormatUint(h.Seed, 10)}},
		faults: map[int]*Span{}, recoveries: map[int]*Span{}, lives: map[int]*Span{}, tasks: map[uint64]*Span{}, attempts: map[uint64][]*Span{},
	}
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		f.add(e)
	}
	return f.finish(h, plainTasks), nil
}

// folder collects the spans of a run that are not over.
type folder struct {
	run        *Span
	last       time.Duration
	stage      *Span
	faults     map[int]*Span // by injection
	recoveries map[int]*Span // the same
	lives      map[int]*Span // by pid
	tasks      map[uint64]*Span
	attempts   map[uint64][]*Span // by task
	list       []*Span            // of all kinds but tasks and attempts, in the order of their starts
	order      []uint64           // tasks
}

func (f *folder) begin(s *Span) *Span {
	if s.Parent == nil {
		s.Parent = f.run
	}
	s.Open = true
	f.list = append(f.list, s)
	return s
}

// end ends a span, if there is one.
func (s *Span) end(at time.Duration) {
	if s != nil {
		s.End, s.Open = max(at, s.Start), false
	}
}

func (f *folder) add(e history.Event) {
	f.last = max(f.last, e.T)
	switch {
	case e.Stage != nil:
		f.stage.end(e.T)
		f.stage = f.begin(&Span{Kind: OfStage, ID: string(e.Stage.Name), Name: string(e.Stage.Name), Start: e.T, Slot: -1})
	case e.Fault != nil:
		f.fault(e.T, e.Fault)
	case e.Member != nil:
		f.member(e.T, e.Member)
	case e.Task != nil:
		f.task(e.T, e.Task)
	case e.Run != nil:
		r := e.Run
		nth := len(f.attempts[r.Task]) + 1
		s := &Span{
			Kind: OfAttempt, ID: fmt.Sprintf("%d.%d", r.Task, nth), Name: strconv.Itoa(cmp.Or(r.Attempt, nth)),
			Start: r.Start, End: r.End, Slot: -1, PID: r.PID,
		}
		if s.Open = r.End == 0; s.Open {
			s.Failed = "it never ended"
		}
		f.attempts[r.Task] = append(f.attempts[r.Task], s)
	case e.Probe != nil && e.Probe.For > 0 && e.Probe.Op == history.Answered:
		f.recoveries[e.Probe.For].end(e.T)
	case e.Alarm != nil:
		f.begin(&Span{Kind: OfAlarm, ID: strconv.Itoa(len(f.list)), Name: e.Alarm.Text, Start: e.T, Slot: -1, Failed: string(e.Alarm.Kind)}).end(e.T)
	}
}

func (f *folder) fault(at time.Duration, e *history.Fault) {
	s := f.faults[e.N]
	if s == nil {
		s = f.begin(&Span{Kind: OfFault, ID: strconv.Itoa(e.N), Start: at, Slot: -1, Facts: map[string]string{}})
		f.faults[e.N] = s
	}
	if e.Fault != "" {
		s.Name = e.Fault
	}
	if v := e.Victim; v != nil {
		s.Slot, s.PID = v.Slot, v.PID
		if v.Phase != "" {
			s.Facts["phase"] = v.Phase
		}
	}
	switch e.Op {
	case history.Injected:
		s.Start = at
	case history.Concluded:
		f.concluded(at, e, s)
	case history.Healed:
		s.end(at)
	case history.HealFailed:
		s.end(at)
		s.Failed = "it could not be undone: " + e.Err
	}
}

// concluded notes the outcome of an injection, and begins the recovery from a death.
func (f *folder) concluded(at time.Duration, e *history.Fault, s *Span) {
	s.end(at)
	s.Facts["outcome"] = string(e.Outcome)
	if e.Outcome != history.Confirmed {
		s.Failed = string(e.Outcome) + ": " + e.Err
	}
	if r := e.Receipt; r != nil {
		s.Facts["receipt"] = r.Tier
		for name, fact := range r.Evidence {
			s.Facts["receipt."+name] = fact
		}
		if r.At > 0 {
			at = r.At
		}
	}
	if e.Fatal && s.Slot >= 0 {
		f.recoveries[e.N] = f.begin(&Span{
			Kind: OfRecovery, ID: s.ID, Parent: s, Name: fmt.Sprintf("of slot %d", s.Slot), Start: at, Slot: s.Slot,
		})
	}
}

func (f *folder) member(at time.Duration, m *history.MemberEvent) {
	if m.At > 0 {
		at = m.At
	}
	switch m.Op {
	case history.Started, history.Ready:
		if f.lives[m.PID] == nil || !f.lives[m.PID].Open {
			f.lives[m.PID] = f.begin(&Span{
				Kind: OfWorker, ID: fmt.Sprintf("%d.%d", m.PID, len(f.list)), Name: fmt.Sprintf("in slot %d", m.Slot), Start: at,
				Slot: m.Slot, PID: m.PID, Facts: map[string]string{},
			})
		}
	case history.Exited:
		s := f.lives[m.PID]
		if s == nil {
			return
		}
		s.end(at)
		if x := m.Exit; x != nil && x.Signal != "" {
			s.Facts["exit"], s.Failed = x.Signal, "ended by "+x.Signal
		} else if x != nil {
			s.Facts["exit"] = strconv.Itoa(x.Code)
		}
		if m.Reason != "" {
			s.Facts["reason"], s.Failed = m.Reason, ""
		}
	}
}

func (f *folder) task(at time.Duration, t *history.Task) {
	s := f.tasks[t.ID]
	if s == nil {
		s = &Span{Kind: OfTask, ID: strconv.FormatUint(t.ID, 10), Parent: f.run, Start: at, Slot: -1, Open: true, Facts: map[string]string{}}
		f.tasks[t.ID] = s
		f.order = append(f.order, t.ID)
	}
	if t.Op != history.Settled {
		return
	}
	s.end(at)
	s.PID, s.Facts["outcome"] = t.PID, string(t.Outcome)
	if t.Attempts > 0 {
		s.Facts["attempts"] = strconv.Itoa(t.Attempts)
	}
	if t.Outcome != history.OK {
		s.Failed = string(t.Outcome) + ": " + t.Err
	}
}

// finish ends what is open, and chooses the tasks.
func (f *folder) finish(h history.Header, plainTasks int) *Run {
	r := &Run{Header: h, Spans: append([]*Span{f.run}, f.list...)}
	f.run.End = f.last
	kept := 0
	for _, id := range f.order {
		s, attempts := f.tasks[id], f.attempts[id]
		plain := s.Failed == "" && !s.Open && len(attempts) <= 1 && (s.Facts["attempts"] == "" || s.Facts["attempts"] == "1")
		if plain && plainTasks >= 0 && kept >= plainTasks {
			r.Left++
			continue
		}
		if plain {
			kept++
		}
		r.Spans = append(r.Spans, s)
		slices.SortFunc(attempts, func(a, b *Span) int { return int(a.Start - b.Start) })
		for _, a := range attempts {
			a.Parent = s
			if life := f.lives[a.PID]; life != nil {
				a.Slot = life.Slot
				if a.Open && !life.Open { // it was cut short
					a.End, a.Failed = max(life.End, a.Start), "its worker ended"
				}
			}
			r.Spans = append(r.Spans, a)
		}
	}
	for _, s := range r.Spans {
		if s.Open && s.End == 0 {
			s.End = f.last
		}
	}
	return r
}

// id is a number of so many bytes that is the same whenever the run is exported.
func (r *Run) id(bytes int, words ...string) string {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s %d %d", r.Header.Run, r.Header.Seed, r.Header.Started.UnixNano())
	for _, w := range words {
		fmt.Fprintf(hash, "\x00%s", w)
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:bytes])
}

// wall is a time of the run on the clock on the wall.
func (r *Run) wall(at time.Duration) time.Time { return r.Header.Started.Add(at) }

// Read folds the history in a file: see [Fold].
func Read(path string, plainTasks int) (*Run, error) {
	in, err := history.Open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return Fold(in.Header, in.Events(), plainTasks)
}
