package check

import (
	"slices"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// load follows how much work there was, stage by stage.
type load struct {
	count    int // tasks submitted
	refused  int // of those, tasks that the target rejected though nobody had told it to end
	inflight int
	at       time.Duration   // of the last change of inflight
	last     time.Duration   // of the last outcome
	windows  [3]window       // steady, chaos, settle
	recent   []time.Duration // of the outcomes ok within the last second
	over     bool            // the target wants no members any more: it takes no load
}

// window is one stage as the load saw it.
type window struct {
	from, to  time.Duration
	open      bool
	submitted int
	refused   int // tasks that it rejected, though nobody had told it to end
	ok        int
	busy      float64 // tasks in flight, integrated over time, in seconds
}

func (w *window) seconds() float64 { return max(0, (w.to - w.from).Seconds()) }

func (l *load) current(st stage) *window {
	if st < steady || st > settle {
		return nil
	}
	return &l.windows[st-steady]
}

// enter closes the open window and opens that of the stage.
func (l *load) enter(next stage, now time.Duration) {
	l.close(now)
	l.at = now
	if w := l.current(next); w != nil && w.to == 0 && !l.over {
		*w = window{from: now, open: true}
	}
}

// close ends the open window. What came after the last outcome does not count if there was nothing in flight: nobody can do
// work that is not there.
func (l *load) close(now time.Duration) {
	for i := range l.windows {
		w := &l.windows[i]
		if !w.open {
			continue
		}
		w.busy += float64(l.inflight) * (now - max(l.at, w.from)).Seconds()
		w.to, w.open = now, false
		if l.inflight == 0 && l.count > 0 {
			w.to = max(w.from, min(now, l.last))
		}
	}
}

// finish ends what there is to measure: a target that was told to close refuses everything.
func (l *load) finish(now time.Duration) {
	if !l.over {
		l.close(now)
		l.over = true
	}
}

// change takes tasks in or out of flight. It returns the open window, if there is one.
func (l *load) change(by int, s *state) *window {
	w := l.current(s.stage)
	if w != nil && !w.open {
		w = nil
	}
	if w != nil {
		w.busy += float64(l.inflight) * (s.now - max(l.at, w.from)).Seconds()
	}
	l.inflight, l.at = max(0, l.inflight+by), s.now
	return w
}

func (l *load) submitted(s *state) {
	if l.count == 0 {
		s.account.submitted = s.now
	}
	l.count++
	if w := l.change(+1, s); w != nil {
		w.submitted++
	}
}

func (l *load) done(t *history.Task, s *state) {
	w := l.change(-1, s)
	l.last = s.now
	switch {
	case t.Outcome == history.OK:
		if w != nil {
			w.ok++
		}
		l.recent = append(l.recent, s.now)
	case t.Outcome == history.Rejected && s.toldToEnd():
		l.finish(s.now)
	case t.Outcome == history.Rejected:
		l.refused++
		if w != nil {
			w.refused++
			w.busy -= min(t.Latency, s.now-w.from).Seconds()
		}
	}
}

// trailing is how far back the rate of the moment looks.
const trailing = time.Second

// throughputNow is the rate over the last second, or since the first submission if that was later.
func (s *state) throughputNow() reading {
	l := &s.load
	from := max(s.now-trailing, s.account.submitted)
	if l.count == 0 || s.now-from < trailing/5 {
		return reading{}
	}
	old := 0
	for old < len(l.recent) && l.recent[old] <= s.now-trailing {
		old++
	}
	l.recent = l.recent[old:]
	return reading{float64(len(l.recent)) / (s.now - from).Seconds(), max(1, len(l.recent))}
}

// during is the figures of the window as they are now, also while it is open.
func (s *state) during(i int) window {
	w := s.load.windows[i]
	if w.open {
		w.busy += float64(s.load.inflight) * (s.now - max(s.load.at, w.from)).Seconds()
		w.to = s.now
	}
	return w
}

func (s *state) throughput(windows ...int) reading {
	seconds, ok, submitted := 0.0, 0, 0
	for _, i := range windows {
		w := s.during(i)
		seconds += w.seconds()
		ok += w.ok
		submitted += w.submitted
	}
	if seconds == 0 || ok+submitted == 0 && s.load.count == 0 {
		return reading{}
	}
	return reading{float64(ok) / seconds, max(1, ok)}
}

// kept is the throughput of a window as a share of that before the faults.
func kept(before, then reading) reading {
	if before.samples == 0 || then.samples == 0 || before.value == 0 {
		return reading{}
	}
	return reading{then.value / before.value, min(before.samples, then.samples)}
}

// toldToEnd tells whether the target was told to close by now, or has lost its parent: that it rejects tasks is then as it
// should be.
func (s *state) toldToEnd() bool {
	return s.load.over || s.faults.endedParent(s.now) ||
		slices.ContainsFunc(s.faults.broad, func(i *injection) bool { return i.closes })
}

// achieved compares the load with what the scenario states. What the target rejected is no load.
func (s *state) achieved() reading {
	stated := s.h.Load
	if stated == nil {
		return reading{}
	}
	var seconds, busy float64
	submitted := 0
	for i := range s.load.windows {
		w := s.during(i)
		seconds += w.seconds()
		busy += w.busy
		submitted += w.submitted - w.refused
	}
	n := max(1, s.load.count)
	switch {
	case stated.Count > 0:
		return reading{min(1, float64(s.load.count-s.load.refused)/float64(stated.Count)), n}
	case s.load.count == 0 || seconds == 0:
		return reading{0, n}
	case stated.Rate > 0:
		if due := stated.Rate * seconds; due >= 1 {
			return reading{min(1, float64(submitted)/due), n}
		}
		return reading{1, n} // too short for even one
	case stated.Concurrency > 0:
		return reading{min(1, max(0, busy)/seconds/float64(stated.Concurrency)), n}
	}
	return reading{1, n}
}
