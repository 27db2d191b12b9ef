package check

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// crew is the members' lives, as the target tells them.
type crew struct {
	events   int
	starting map[int]time.Duration // pids: since when
	retiring map[int]time.Duration // pids: since when
	ready    map[int]time.Duration // of living members: since when
	up       map[int]int           // slot to the pid that is ready there
	waiting  map[int]int           // slot to the number of its dead, once ready, that nobody followed yet
	exits    []exit
	ends     map[int][]time.Duration // by pid, its exits: a number can be given out again
	deaths   map[int][]time.Duration // the same with those that receipts prove, and those of the stage stop
	boots    []startup
	bootErrs map[int]string   // by pid, why it did not come up
	booting  map[int]int      // by pid, the index of its boot
	struck   time.Duration    // when the stage chaos began
	running  map[int][]uint64 // by pid, the task of each of its exit records
	blamed   []blame
	maxRSS   int64
	rssLine  int

	turnover, replaced, starts                                        int
	bootsFailed, quarantined, opened, closed, lateResults, badResults int
	firstBad                                                          sighting // of badResults
	unlisted                                                          int
	firstUnlisted                                                     sighting
}

// exit is the end of a member before the stage stop.
type exit struct {
	history.MemberEvent
	at    time.Duration
	line  int
	ready bool          // it had been
	since time.Duration // when its end began: it was retired, or never was ready and started then; else its end
}

// blame is a task that the target charged with the death of a member.
type blame struct {
	pid, line int
	task      uint64
}

func (c *crew) init() {
	c.booting, c.bootErrs = map[int]int{}, map[int]string{}
	c.starting, c.retiring, c.ready = map[int]time.Duration{}, map[int]time.Duration{}, map[int]time.Duration{}
	c.up, c.waiting = map[int]int{}, map[int]int{}
	c.ends = map[int][]time.Duration{}
	c.deaths, c.running = map[int][]time.Duration{}, map[int][]uint64{}
}

// startup is the time that a member takes to be ready, or to end.
type startup struct {
	from, to time.Duration
	going    bool
}

// booted ends the boot of the member.
func (c *crew) booted(pid int, at time.Duration) {
	delete(c.starting, pid)
	if i, ok := c.booting[pid]; ok {
		c.boots[i].to, c.boots[i].going = max(at, c.boots[i].from), false
		delete(c.booting, pid)
	}
}

// mostStarting is the most boots at one time, from the stage chaos on.
func (c *crew) mostStarting() (most int) {
	if c.struck == 0 {
		return 0
	}
	type step struct {
		at time.Duration
		by int
	}
	steps := []step{}
	for _, b := range c.boots {
		if !b.going && b.to <= c.struck {
			continue
		}
		steps = append(steps, step{max(b.from, c.struck), +1})
		if !b.going {
			steps = append(steps, step{b.to, -1})
		}
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Or(cmp.Compare(a.at, b.at), a.by-b.by) })
	now := 0
	for _, s := range steps {
		now += s.by
		most = max(most, now)
	}
	return most
}

// kind is how the target classifies the exit, or what its code and signal alone say.
func (x *exit) kind() string {
	switch e := x.Exit; {
	case e == nil:
		return "unknown"
	case e.Kind != "":
		return e.Kind
	case e.OOM != "":
		return "oom"
	case e.Signal == "SIGKILL" || e.Signal == "SIGTERM":
		return "killed"
	case e.Signal == "" && e.Code == 0:
		return "clean"
	}
	return "crashed"
}

// lastWords is what the member said of its end on its stderr: a panic, or the last line.
func (x *exit) lastWords() (words string) {
	if x.Exit == nil {
		return ""
	}
	for line := range strings.Lines(x.Exit.Stderr) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			words = line
			break
		}
		words = cmp.Or(line, words)
	}
	if r := []rune(words); len(r) > 200 {
		words = string(r[:200]) + "…"
	}
	return words
}

// how is the exit in words: SIGKILL, exit code 3.
func (x *exit) how() string {
	switch {
	case x.Exit == nil:
		return "nobody saw of what"
	case x.Exit.Signal != "":
		return x.Exit.Signal
	}
	return "exit code " + strconv.Itoa(x.Exit.Code)
}

func (s *state) member(m *history.MemberEvent) {
	c := &s.crew
	c.events++
	at := m.At
	if at == 0 {
		at = s.now
	}
	s.evidence.member(m.Op, m.PID, at)
	counted := s.stage >= chaos && s.stage < stop
	switch m.Op {
	case history.Started:
		s.slots.started(m.Slot, m.PID)
		if m.Slot >= 0 && s.stage < stop { // of a hot spare nobody tells when it is up
			c.starting[m.PID] = at
			c.booting[m.PID] = len(c.boots)
			c.boots = append(c.boots, startup{from: at, going: true})
		}
		if counted {
			c.starts++
		}
	case history.Ready:
		s.memberReady(m, at, counted)
	case history.Retiring:
		c.retiring[m.PID] = at
		s.memberDown(m, at)
	case history.Exited:
		s.memberExited(m, at)
	case history.Quarantined:
		c.quarantined++
		c.booted(m.PID, at)
		s.memberDown(m, at)
	case history.BootFailed:
		c.bootsFailed++
		c.bootErrs[m.PID] = m.Err
		c.booted(m.PID, at)
	case history.BreakerOpened:
		c.opened++
	case history.BreakerClosed:
		c.closed++
	case history.Late:
		c.lateResults++
	case history.AnsweredTwice:
		c.lateResults++
		s.account.again(m.Task)
	case history.Unlisted: // a sibling of members that ended before a listing could name it
		if counted && m.Exit != nil && m.Exit.Signal != "" && !s.faults.endedParent(at) {
			if c.unlisted++; c.unlisted == 1 {
				x := exit{MemberEvent: *m}
				c.firstUnlisted = sighting{line: s.line, err: "pid " + strconv.Itoa(m.PID) + ": " + x.how()}
			}
		}
	case history.ProbeAnswered:
		s.evidence.named = append(s.evidence.named, named{m.Task, m.PID, s.line})
	case history.BadAnswer:
		if c.badResults++; c.badResults == 1 {
			c.firstBad = sighting{line: s.line, err: m.Err}
		}
	case history.Requeued:
		if m.Blamed {
			c.blamed = append(c.blamed, blame{m.PID, s.line, m.Task})
		}
	}
}

func (s *state) memberReady(m *history.MemberEvent, at time.Duration, counted bool) {
	c := &s.crew
	c.booted(m.PID, at)
	delete(c.retiring, m.PID)
	_, again := c.ready[m.PID]
	c.ready[m.PID] = at
	if m.Slot < 0 {
		return
	}
	c.up[m.Slot] = m.PID
	if counted && !again {
		c.turnover++
	}
	if counted {
		c.replaced += c.waiting[m.Slot]
	}
	delete(c.waiting, m.Slot)
	s.whole.risen(m.Slot, m.PID, at, s.line)
	s.slots.ready(m.Slot, m.PID, at)
}

// memberDown takes the member from its slot, if it is there.
func (s *state) memberDown(m *history.MemberEvent, at time.Duration) {
	s.whole.fallen(m.Slot, m.PID, at, s.line)
	if pid, ok := s.crew.up[m.Slot]; ok && pid == m.PID {
		delete(s.crew.up, m.Slot)
	}
}

func (s *state) memberExited(m *history.MemberEvent, at time.Duration) {
	c := &s.crew
	c.deaths[m.PID] = append(c.deaths[m.PID], at)
	if m.Exit != nil {
		c.running[m.PID] = append(c.running[m.PID], m.Exit.Task)
		if m.Exit.MaxRSS > c.maxRSS {
			c.maxRSS, c.rssLine = m.Exit.MaxRSS, s.line
		}
	}
	started, starting := c.starting[m.PID]
	wasReady := !starting // of members older than the record, nobody saw the start
	since := at
	if retired, ok := c.retiring[m.PID]; ok {
		since = retired
	} else if starting {
		since = started
	}
	c.booted(m.PID, at)
	delete(c.retiring, m.PID)
	if s.stage < stop {
		c.exits = append(c.exits, exit{*m, at, s.line, wasReady, since})
		c.ends[m.PID] = append(c.ends[m.PID], at)
	}
	readySince := c.ready[m.PID]
	delete(c.ready, m.PID)
	s.memberDown(m, at)
	if !wasReady || m.Slot < 0 || s.stage >= stop {
		return
	}
	if next, ok := c.up[m.Slot]; ok && next != m.PID && c.ready[next] >= readySince { // its successor was ready before it ended
		if s.stage >= chaos {
			c.replaced++
		}
		return
	}
	c.waiting[m.Slot]++
}

// exitsThat counts the exits for which is says so.
func (s *state) exitsThat(is func(*exit) bool) reading {
	n := 0
	for i := range s.crew.exits {
		if is(&s.crew.exits[i]) {
			n++
		}
	}
	return s.told(n)
}

// told is a number of things that only the target can tell: without any event from one that has events to tell, it is
// not known.
func (s *state) told(n int) reading {
	records := s.crew.events
	if records == 0 && s.can("events") {
		records = 1
	}
	return count(n, records)
}
