// Package export tells what happened in a run in the languages of those who look at running systems: Prometheus,
// OpenTelemetry, Grafana, spreadsheets. It is made from a history, at any time after the run.
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
	"github.com/respawn-go/respawn/chaos/ledger"
)

// Kind is what a span is of.
type Kind string

// The kinds of spans, from the run down: a recovery is within its fault, an attempt within its task, all others within
// the run.
const (
	OfRun   Kind = "run"
	OfStage Kind = "stage"
	// from the injection until it is settled, or healed; one that could not be undone goes on
	OfFault    Kind = "fault"
	OfRecovery Kind = "recovery" // from the death until its slot is of use again, as slot.recovery counts it
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

// Fold reads a history into spans: see [Of].
func Fold(h history.Header, events iter.Seq2[history.Event, error], plainTasks int) (*Run, error) {
	l := ledger.New(h)
	line := 1
	for e, err := range events {
		if err != nil {
			return nil, err
		}
		line++
		l.Add(line, &e)
	}
	l.Finish()
	return Of(l, plainTasks), nil
}

// Of is the spans of what a finished ledger tells, as the judge counts it. Of the tasks that ended well at the first
// attempt it keeps so many; below 0 all of them.
func Of(l *ledger.Ledger, plainTasks int) *Run {
	h := l.Header
	run := &Span{
		Kind: OfRun, ID: "1", Name: h.Scenario, End: l.Now, Slot: -1,
		Facts: map[string]string{"target": h.Target.Name, "seed": strconv.FormatUint(h.Seed, 10)},
	}
	f := &folder{Ledger: l, run: run}
	f.stages()
	f.lives()
	f.faults()
	f.alarms()
	slices.SortStableFunc(f.list, func(a, b *Span) int { return cmp.Compare(a.begins(), b.begins()) })
	r := &Run{Header: h, Spans: append([]*Span{run}, f.list...)}
	f.tasks(r, plainTasks)
	return r
}

// folder makes the spans of a ledger.
type folder struct {
	*ledger.Ledger
	run  *Span
	list []*Span // of all kinds but tasks and attempts
}

// begins is where the span stands among others: never before its parent.
func (s *Span) begins() time.Duration {
	if s.Parent == nil {
		return s.Start
	}
	return max(s.Start, s.Parent.begins())
}

// add takes a span that nobody has seen the end of.
func (f *folder) add(s *Span) *Span {
	if s.Parent == nil {
		s.Parent = f.run
	}
	s.End, s.Open = max(f.Now, s.Start), true
	f.list = append(f.list, s)
	return s
}

// end ends a span.
func (s *Span) end(at time.Duration) { s.End, s.Open = max(at, s.Start), false }

func (f *folder) stages() {
	for i, stage := range f.Log.Stages {
		s := f.add(&Span{Kind: OfStage, ID: string(stage.Name), Name: string(stage.Name), Start: stage.At, Slot: -1})
		if i+1 < len(f.Log.Stages) {
			s.end(f.Log.Stages[i+1].At)
		}
	}
}

func (f *folder) lives() {
	for i, one := range f.Lives.List {
		s := f.add(&Span{
			Kind: OfWorker, ID: fmt.Sprintf("%d.%d", one.PID, i), Name: fmt.Sprintf("in slot %d", one.Slot),
			Start: max(one.From, 0), Slot: one.Slot, PID: one.PID, Facts: map[string]string{},
		})
		if one.To < 0 {
			continue
		}
		if one.From < 0 { // nobody saw its beginning
			s.Start = one.To
		}
		s.end(one.To)
		if x := one.Exit; x != nil && x.Signal != "" {
			s.Facts["exit"], s.Failed = x.Signal, "ended by "+x.Signal
		} else if x != nil {
			s.Facts["exit"] = strconv.Itoa(x.Code)
		}
		if one.Reason != "" {
			s.Facts["reason"], s.Failed = one.Reason, ""
		}
	}
}

// faults makes the spans of injections, and of the recoveries from those that killed. A slot that the target is not to
// have any more has nothing to recover to.
func (f *folder) faults() {
	of := map[int]*Span{}
	for _, i := range f.Injections.List {
		of[i.N] = f.fault(i)
	}
	for _, d := range f.Slots.Deaths {
		if d.Fate == ledger.GivenUp {
			continue
		}
		s := f.add(&Span{
			Kind: OfRecovery, ID: strconv.Itoa(d.N), Parent: of[d.N], Name: fmt.Sprintf("of slot %d", d.Slot),
			Start: d.At, Slot: d.Slot,
		})
		switch d.Fate {
		case ledger.Recovered:
			s.end(d.Back)
		case ledger.Never:
			s.Failed = "it never came back"
		case ledger.Waiting:
			s.End = max(f.Until(), s.Start)
		case ledger.GivenUp:
		}
	}
}

func (f *folder) fault(i *ledger.Injection) *Span {
	s := f.add(
		&Span{Kind: OfFault, ID: strconv.Itoa(i.N), Name: i.Text, Start: i.First, Slot: -1, Facts: map[string]string{}})
	if i.Injected {
		s.Start = i.Began
	}
	if v := i.Victim; v != nil {
		s.Slot, s.PID = v.Slot, v.PID
		if v.Phase != "" {
			s.Facts["phase"] = v.Phase
		}
	}
	if i.Outcome != "" {
		s.end(max(i.Settled, i.Healed))
		s.Facts["outcome"] = string(i.Outcome)
	}
	if r := i.Receipt; r != nil {
		s.Facts["receipt"] = r.Tier
		for name, fact := range r.Evidence {
			s.Facts["receipt."+name] = fact
		}
	}
	switch {
	case i.HealErr != "":
		s.Failed, s.Open, s.End = "it could not be undone: "+i.HealErr, true, f.Now
	case i.Outcome != "" && i.Outcome != history.Confirmed:
		s.Failed = string(i.Outcome) + ": " + i.Err
	}
	return s
}

func (f *folder) alarms() {
	for i, a := range f.Alarms {
		f.add(&Span{
			Kind: OfAlarm, ID: strconv.Itoa(i + 1), Name: cmp.Or(a.Rule, a.Text), Start: a.At, Slot: -1,
			Failed: string(a.Kind),
		}).end(a.At)
	}
}

// tasks adds the tasks in the order of their submissions, each with its attempts behind it.
func (f *folder) tasks(r *Run, plainTasks int) {
	all := f.Tasks.All
	ids := make([]uint64, 0, len(all))
	for id, t := range all {
		if t.Counted {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b uint64) int {
		return cmp.Or(cmp.Compare(begun(all[a]), begun(all[b])), cmp.Compare(a, b))
	})
	kept := 0
	for _, id := range ids {
		t := all[id]
		plain := t.End() == history.OK && t.Executions <= 1 && t.Attempts <= 1
		if plain && plainTasks >= 0 && kept >= plainTasks {
			r.Left++
			continue
		}
		if plain {
			kept++
		}
		s := f.task(id, t)
		r.Spans = append(r.Spans, s)
		for i, run := range f.Tasks.RunsOf(id, t) {
			r.Spans = append(r.Spans, f.attempt(s, i+1, run))
		}
	}
}

// begun is the line on which the task is first told of.
func begun(t ledger.Task) int32 { return cmp.Or(t.Begun, t.Line) }

func (f *folder) task(id uint64, t ledger.Task) *Span {
	s := &Span{
		Kind: OfTask, ID: strconv.FormatUint(id, 10), Parent: f.run, Start: t.Submitted, End: f.Now, Open: true,
		Slot: -1, Facts: map[string]string{},
	}
	if t.End() == "" {
		return s
	}
	if t.Begun == 0 { // nobody saw its submission
		s.Start = t.Settled
	}
	s.end(t.Settled)
	s.PID, s.Facts["outcome"] = int(t.PID), string(t.End())
	if t.Attempts > 0 {
		s.Facts["attempts"] = strconv.Itoa(int(t.Attempts))
	}
	if t.End() != history.OK {
		s.Failed = string(t.End()) + ": " + f.Tasks.Errs[id]
	}
	return s
}

func (f *folder) attempt(task *Span, nth int, run ledger.Run) *Span {
	s := &Span{
		Kind: OfAttempt, ID: fmt.Sprintf("%s.%d", task.ID, nth), Parent: task, Name: strconv.Itoa(nth),
		Start: run.Start, End: run.End, Slot: -1, PID: int(run.PID),
	}
	life := f.Lives.Of(s.PID, run.Start)
	if life != nil {
		s.Slot = life.Slot
	}
	switch {
	case run.End > 0:
	case life != nil && life.To >= 0: // it was cut short
		s.End, s.Failed = max(life.To, s.Start), "its worker ended"
	default:
		s.End, s.Open, s.Failed = max(f.Now, s.Start), true, "it never ended"
	}
	return s
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
