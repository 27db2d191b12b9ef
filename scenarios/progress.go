package scenarios

import (
	"fmt"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// Progress is how far a run is, for a live display.
type Progress struct {
	At        time.Duration
	Stage     string
	Done      float64 // of the run's planned length, 0 to 1; it may go back when a stage takes longer than planned
	Ready     int
	Want      int
	Confirmed int // injections
	Failed    int // injections that were not confirmed
	Recovered int // slots, after a death
	Waiting   int // slots that are not back yet
	Tasks     int // settled
	Bad       int // settled, and not with the right value
	Cancelled int // given up because the run was interrupted; not among Tasks and Bad
	// News is what just happened, in a line: a kill, a recovery, an alarm. "" when it is only figures that changed.
	News string
}

// tracker turns a run's events into progress.
type tracker struct {
	Progress
	planned time.Duration
	deaths  map[int]death           // by injection
	victims map[int]*history.Victim // until the injection is settled
	answers map[int]answer          // the same: its probe was answered already
	tell    func(Progress)
	told    time.Duration
	stopped func() bool // tells whether the run is interrupted
}

// death is one whose slot is not back yet. What there is to tell of it is told with the recovery, in one line.
type death struct {
	at   time.Duration
	text string
}

// answer is the end of a probe.
type answer struct {
	*history.Probe
	at time.Duration
}

// tellEvery bounds how often figures alone are told.
const tellEvery = 100 * time.Millisecond

func newTracker(planned time.Duration, stopped func() bool, tell func(Progress)) *tracker {
	return &tracker{stopped: stopped, planned: max(planned, time.Second), tell: tell, deaths: map[int]death{}, victims: map[int]*history.Victim{}, answers: map[int]answer{}, told: -tellEvery}
}

// add is for chaos.Run.Progress: it is called with one event at a time.
func (t *tracker) add(e history.Event) {
	t.At, t.News = e.T, ""
	t.Done = min(float64(e.T)/float64(t.planned), 1)
	switch {
	case e.Stage != nil:
		t.Stage = string(e.Stage.Name)
		t.News = "stage " + t.Stage
	case e.Sample != nil:
		t.Ready, t.Want = min(e.Sample.Ready, e.Sample.Alive), e.Sample.Want
	case e.Task != nil && e.Task.Op == history.Settled && e.Task.Outcome != history.OK && t.stopped():
		t.Cancelled++
	case e.Task != nil && e.Task.Op == history.Settled:
		t.Tasks++
		if e.Task.Outcome != history.OK {
			t.Bad++
		}
	case e.Fault != nil:
		t.fault(e.T, e.Fault)
	case e.Probe != nil && e.Probe.For > 0 && e.Probe.Op != history.Sent:
		t.probe(answer{e.Probe, e.T})
	case e.Alarm != nil:
		t.News = e.Alarm.String()
	}
	if t.News != "" || e.T-t.told >= tellEvery {
		t.told = e.T
		t.tell(t.Progress)
	}
}

func (t *tracker) fault(at time.Duration, f *history.Fault) {
	if f.Victim != nil {
		t.victims[f.N] = f.Victim
	}
	if f.Op != history.Concluded {
		return
	}
	who := "the target"
	if v := t.victims[f.N]; v != nil {
		who = fmt.Sprintf("slot %d pid %d", v.Slot, v.PID)
		if v.Phase != "" {
			who += " (" + v.Phase + ")"
		}
	}
	early, answered := t.answers[f.N]
	delete(t.victims, f.N)
	delete(t.answers, f.N)
	if f.Outcome != history.Confirmed {
		t.Failed++
		t.News = fmt.Sprintf("#%d %s on %s: %s %s", f.N, f.Fault, who, f.Outcome, f.Err)
		return
	}
	t.Confirmed++
	text := fmt.Sprintf("#%d %s on %s", f.N, f.Fault, who)
	if !f.Fatal {
		t.News = text + ": confirmed"
		return
	}
	if f.Receipt != nil && f.Receipt.At > 0 {
		at = f.Receipt.At
	}
	t.deaths[f.N] = death{at, text}
	t.Waiting = len(t.deaths)
	if answered {
		t.probe(early)
	}
}

// probe ends the recovery of the injection that it was sent for, which may be settled later.
func (t *tracker) probe(p answer) {
	d, ok := t.deaths[p.For]
	if !ok {
		if t.victims[p.For] != nil {
			t.answers[p.For] = p
		}
		return
	}
	delete(t.deaths, p.For)
	t.Waiting = len(t.deaths)
	if p.Op != history.Answered {
		t.News = fmt.Sprintf("%s: the slot does not answer: %s", d.text, p.Err)
		return
	}
	t.Recovered++
	t.News = fmt.Sprintf("%s: back as pid %d after %s", d.text, p.PID, check.Seconds.Show((p.at - d.at).Seconds()))
}

// planned is how long the run is expected to take.
func (s *Scenario) planned() time.Duration {
	return s.scheduled() + 2*time.Second // steady, settling, probes
}
