package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// Progress is how far a run is, for a live display.
type Progress struct {
	At        time.Duration
	Stage     string
	Planned   time.Duration // of the run; it may take longer
	Ready     int
	Want      int
	Confirmed int // injections
	Failed    int // injections that were not confirmed
	Recovered int // slots, after a death
	Waiting   int // slots that are not back yet
	Tasks     int // settled
	Bad       int // settled, and not with the right value
	Cancelled int // given up because the run was interrupted; not among Tasks and Bad
	// Slots is how each slot is. It is not to be changed.
	Slots []SlotState
	// News is what just happened, in a line: a kill, a recovery, an alarm. "" when it is only figures that changed.
	News string
}

// SlotState is how a slot is, in the order in which they ask for attention.
type SlotState = ledger.State

// The states of slots.
const (
	SlotUp       = ledger.Up       // its member is ready
	SlotAbsent   = ledger.Absent   // nobody is told to be there
	SlotStarting = ledger.Starting // its member is not ready yet
	SlotStruck   = ledger.Struck   // a fault was injected into it within the last second
	SlotDown     = ledger.Down     // its member died of a fault, and nobody was of use there since
)

// tracker turns what the ledger of a run tells by now into progress.
type tracker struct {
	Progress
	l       *ledger.Ledger
	waiting []*ledger.Death // those of the ledger whose slots were not back
	known   int             // of the ledger's deaths
	tell    func(Progress)
	told    time.Duration
	looked  time.Duration // when the slots were looked at
}

// tellEvery bounds how often figures alone are told, and the slots looked at.
const tellEvery = 100 * time.Millisecond

func newTracker(l *ledger.Ledger, planned time.Duration, tell func(Progress)) *tracker {
	return &tracker{Progress: Progress{Planned: planned}, l: l, tell: tell, told: -tellEvery, looked: -tellEvery}
}

// look is called after each event that was added to the ledger.
func (t *tracker) look(e history.Event) {
	t.At, t.News = e.T, ""
	switch {
	case e.Stage != nil:
		t.Stage = string(e.Stage.Name)
		t.News = "stage " + t.Stage
	case e.Sample != nil:
		t.Ready, t.Want = ledger.ReadyIn(e.Sample), e.Sample.Want
	case e.Task != nil && e.Task.Op == history.Settled:
		t.task(e.Task)
	case e.Fault != nil && e.Fault.Op == history.Concluded:
		t.fault(t.l.Injections.ByN[e.Fault.N])
	case e.Probe != nil && e.Probe.Op == history.NoAnswer:
		t.noAnswer(e.Probe)
	case e.Alarm != nil:
		t.News = e.Alarm.String()
	}
	if e.Task == nil {
		t.recoveries()
	}
	if t.News != "" || e.T-t.told >= tellEvery {
		t.told = e.T
		if e.T-t.looked >= tellEvery {
			t.looked, t.Slots = e.T, t.l.States()
		}
		t.tell(t.Progress)
	}
}

// task counts what settled. What is given up because the run ends early says nothing about the target.
func (t *tracker) task(k *history.Task) {
	if t.l.Stopped {
		if k.Outcome != history.OK {
			t.Cancelled++
		}
		return
	}
	t.Tasks = 0
	for _, n := range t.l.Tasks.Outcomes {
		t.Tasks += n
	}
	t.Bad = t.Tasks - t.l.Tasks.Outcomes[history.OK]
}

// deed is an injection and its victim, in words.
func deed(i *ledger.Injection) string {
	who := "the target"
	if v := i.Victim; v != nil {
		who = fmt.Sprintf("slot %d pid %d", v.Slot, v.PID)
		if v.Phase != "" {
			who += " (" + v.Phase + ")"
		}
	}
	return fmt.Sprintf("#%d %s on %s", i.N, i.Text, who)
}

// fault tells of an injection that has its outcome. A death is told with the recovery of its slot, in one line.
func (t *tracker) fault(i *ledger.Injection) {
	outcomes := t.l.Injections.Outcomes
	t.Confirmed = outcomes[history.Confirmed]
	t.Failed = 0
	for outcome, n := range outcomes {
		if outcome != history.Confirmed {
			t.Failed += n
		}
	}
	switch {
	case i.Outcome != history.Confirmed:
		t.News = fmt.Sprintf("%s: %s %s", deed(i), i.Outcome, i.Err)
	case !i.Fatal || i.Victim == nil || i.Victim.Slot < 0:
		t.News = deed(i) + ": confirmed"
	}
}

// recoveries tells of the slots that are back.
func (t *tracker) recoveries() {
	t.waiting = append(t.waiting, t.l.Slots.Deaths[t.known:]...)
	t.known = len(t.l.Slots.Deaths)
	var news []string
	t.waiting = slices.DeleteFunc(t.waiting, func(d *ledger.Death) bool {
		if d.Fate == ledger.Recovered {
			t.Recovered++
			news = append(news, fmt.Sprintf("%s: back as pid %d after %s", deed(t.l.Injections.ByN[d.N]), d.Successor,
				check.Seconds.Show(d.Took().Seconds())))
		}
		return d.Fate != ledger.Waiting
	})
	t.Waiting = len(t.waiting)
	if len(news) > 0 {
		t.News = strings.Join(news, "; ")
	}
}

func (t *tracker) noAnswer(p *history.Probe) {
	if i := t.l.Injections.ByN[p.For]; i != nil && i.Fatal {
		t.News = fmt.Sprintf("%s: the slot does not answer: %s", deed(i), p.Err)
	}
}

// planned is how long the run is expected to take.
func (s *Scenario) planned() time.Duration {
	return s.scheduled() + 2*time.Second // steady, settling, probes
}
