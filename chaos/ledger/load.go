package ledger

import (
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Load follows how much work there was, stage by stage.
type Load struct {
	Count    int // tasks submitted
	Refused  int // of those, tasks that the target rejected though nobody had told it to end
	inflight int
	at       time.Duration   // of the last change of inflight
	last     time.Duration   // of the last outcome
	windows  [3]Window       // steady, chaos, settle
	recent   []time.Duration // of the outcomes ok within the last second
	over     bool            // the target wants no members any more: it takes no load
}

// Window is one stage as the load saw it.
type Window struct {
	from, to  time.Duration
	open      bool
	submitted int
	refused   int // tasks that it rejected, though nobody had told it to end
	ok        int
	busy      float64 // tasks in flight, integrated over time, in seconds
}

func (w *Window) seconds() float64 { return max(0, (w.to - w.from).Seconds()) }

func (l *Load) current(st Stage) *Window {
	if st < Steady || st > Settle {
		return nil
	}
	return &l.windows[st-Steady]
}

// enter closes the open window and opens that of the stage.
func (l *Load) enter(next Stage, now time.Duration) {
	l.close(now)
	l.at = now
	if w := l.current(next); w != nil && w.to == 0 && !l.over {
		*w = Window{from: now, open: true}
	}
}

// close ends the open window. What came after the last outcome does not count if there was nothing in flight: nobody
// can do work that is not there.
func (l *Load) close(now time.Duration) {
	for i := range l.windows {
		w := &l.windows[i]
		if !w.open {
			continue
		}
		w.busy += float64(l.inflight) * (now - max(l.at, w.from)).Seconds()
		w.to, w.open = now, false
		if l.inflight == 0 && l.Count > 0 {
			w.to = max(w.from, min(now, l.last))
		}
	}
}

// finish ends what there is to measure: a target that was told to close refuses everything.
func (l *Load) finish(now time.Duration) {
	if !l.over {
		l.close(now)
		l.over = true
	}
}

// change takes tasks in or out of flight. It returns the open window, if there is one.
func (l *Load) change(by int, s *Ledger) *Window {
	w := l.current(s.Stage)
	if w != nil && !w.open {
		w = nil
	}
	if w != nil {
		w.busy += float64(l.inflight) * (s.Now - max(l.at, w.from)).Seconds()
	}
	l.inflight, l.at = max(0, l.inflight+by), s.Now
	return w
}

func (l *Load) submitted(s *Ledger) {
	if l.Count == 0 {
		s.Tasks.submitted = s.Now
	}
	l.Count++
	if w := l.change(+1, s); w != nil {
		w.submitted++
	}
}

func (l *Load) done(t *history.Task, s *Ledger) {
	w := l.change(-1, s)
	l.last = s.Now
	switch {
	case t.Outcome == history.OK:
		if w != nil {
			w.ok++
		}
		l.recent = append(l.recent, s.Now)
	case t.Outcome == history.Rejected && s.toldToEnd():
		l.finish(s.Now)
	case t.Outcome == history.Rejected:
		l.Refused++
		if w != nil {
			w.refused++
			w.busy -= min(t.Latency, s.Now-w.from).Seconds()
		}
	}
}

// trailing is how far back the rate of the moment looks.
const trailing = time.Second

// ThroughputNow is the rate over the last second, or since the first submission if that was later.
func (s *Ledger) ThroughputNow() Reading {
	l := &s.Load
	from := max(s.Now-trailing, s.Tasks.submitted)
	if l.Count == 0 || s.Now-from < trailing/5 {
		return Reading{}
	}
	old := 0
	for old < len(l.recent) && l.recent[old] <= s.Now-trailing {
		old++
	}
	l.recent = l.recent[old:]
	return Reading{float64(len(l.recent)) / (s.Now - from).Seconds(), max(1, len(l.recent))}
}

// during is the figures of the window as they are now, also while it is open.
func (s *Ledger) during(i int) Window {
	w := s.Load.windows[i]
	if w.open {
		w.busy += float64(s.Load.inflight) * (s.Now - max(s.Load.at, w.from)).Seconds()
		w.to = s.Now
	}
	return w
}

// Throughput is the tasks that settled as they should per second, in these windows: 0 is before the faults, 1 during, 2
// after.
func (s *Ledger) Throughput(windows ...int) Reading {
	seconds, ok, submitted := 0.0, 0, 0
	for _, i := range windows {
		w := s.during(i)
		seconds += w.seconds()
		ok += w.ok
		submitted += w.submitted
	}
	if seconds == 0 || ok+submitted == 0 && s.Load.Count == 0 {
		return Reading{}
	}
	return Reading{float64(ok) / seconds, max(1, ok)}
}

// Kept is the throughput of a window as a share of that before the faults.
func Kept(before, then Reading) Reading {
	if before.Samples == 0 || then.Samples == 0 || before.Value == 0 {
		return Reading{}
	}
	return Reading{then.Value / before.Value, min(before.Samples, then.Samples)}
}

// toldToEnd tells whether the target was told to close by now, or has lost its parent: that it rejects tasks is then as
// it should be.
func (s *Ledger) toldToEnd() bool {
	return s.Load.over || s.Injections.EndedParent(s.Now) ||
		slices.ContainsFunc(s.Injections.Broad, func(i *Injection) bool { return i.closes })
}

// Achieved compares the load with what the scenario states. What the target rejected is no load.
func (s *Ledger) Achieved() Reading {
	stated := s.Header.Load
	if stated == nil {
		return Reading{}
	}
	var seconds, busy float64
	submitted := 0
	for i := range s.Load.windows {
		w := s.during(i)
		seconds += w.seconds()
		busy += w.busy
		submitted += w.submitted - w.refused
	}
	n := max(1, s.Load.Count)
	switch {
	case stated.Count > 0:
		return Reading{min(1, float64(s.Load.Count-s.Load.Refused)/float64(stated.Count)), n}
	case s.Load.Count == 0 || seconds == 0:
		return Reading{0, n}
	case stated.Rate > 0:
		if due := stated.Rate * seconds; due >= 1 {
			return Reading{min(1, float64(submitted)/due), n}
		}
		return Reading{1, n} // too short for even one
	case stated.Concurrency > 0:
		return Reading{min(1, max(0, busy)/seconds/float64(stated.Concurrency)), n}
	}
	return Reading{1, n}
}
