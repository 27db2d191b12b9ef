package ledger

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// Members is the members' lives, as the target tells them.
type Members struct {
	Events   int
	starting map[int]time.Duration // pids: since when
	retiring map[int]time.Duration // pids: since when
	ready    map[int]time.Duration // of living members: since when
	up       map[int]int           // slot to the pid that is ready there
	waiting  map[int]int           // slot to the number of its dead, once ready, that nobody followed yet
	Exits    []Exit
	ends     map[int][]time.Duration // by pid, its exits: a number can be given out again
	deaths   map[int][]time.Duration // the same with those that receipts prove, and those of the stage stop
	boots    []startup
	BootErrs map[int]string   // by pid, why it did not come up
	booting  map[int]int      // by pid, the index of its boot
	struck   time.Duration    // when the stage chaos began
	running  map[int][]uint64 // by pid, the task of each of its exit records
	blamed   []blame
	MaxRSS   int64
	rssLine  int

	Turnover, Replaced, Starts                                        int
	BootsFailed, Quarantined, Opened, Closed, LateResults, BadResults int
	FirstBad                                                          Sighting // of BadResults
	Unlisted                                                          int
	FirstUnlisted                                                     Sighting
}

// Exit is the end of a member before the stage stop.
type Exit struct {
	history.MemberEvent
	Ended    time.Duration
	Line     int
	WasReady bool          // it had been
	Since    time.Duration // when its end began: it was retired, or never was ready and started then; else its end
}

// blame is a task that the target charged with the death of a member.
type blame struct {
	pid, line int
	task      uint64
}

func (c *Members) init() {
	c.booting, c.BootErrs = map[int]int{}, map[int]string{}
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
func (c *Members) booted(pid int, at time.Duration) {
	delete(c.starting, pid)
	if i, ok := c.booting[pid]; ok {
		c.boots[i].to, c.boots[i].going = max(at, c.boots[i].from), false
		delete(c.booting, pid)
	}
}

// MostStarting is the most boots at one time, from the stage chaos on.
func (c *Members) MostStarting() (most int) {
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

// Kind is how the target classifies the exit, or what its code and signal alone say.
func (x *Exit) Kind() string {
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

// LastWords is what the member said of its end on its stderr: a panic, or the last line.
func (x *Exit) LastWords() (words string) {
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

// How is the exit in words: SIGKILL, exit code 3.
func (x *Exit) How() string {
	switch {
	case x.Exit == nil:
		return "nobody saw of what"
	case x.Exit.Signal != "":
		return x.Exit.Signal
	}
	return "exit code " + strconv.Itoa(x.Exit.Code)
}

func (s *Ledger) member(m *history.MemberEvent) {
	c := &s.Members
	c.Events++
	at := m.At
	if at == 0 {
		at = s.Now
	}
	s.Evidence.member(m.Op, m.PID, at)
	s.Evidence.retired.Hear(m, s.Now)
	counted := s.Stage >= Chaos && s.Stage < stop
	switch m.Op {
	case history.Started:
		if s.Ranged() && m.Slot >= s.Header.Target.Size {
			s.Slots.started(-1, m.PID) // it takes the slot of one that ends
		} else {
			s.Slots.started(m.Slot, m.PID)
		}
		if m.Slot >= 0 && s.Stage < stop { // of a hot spare nobody tells when it is up
			c.starting[m.PID] = at
			c.booting[m.PID] = len(c.boots)
			c.boots = append(c.boots, startup{from: at, going: true})
		}
		if counted {
			c.Starts++
		}
	case history.Ready:
		s.memberReady(m, at, counted)
	case history.Retiring:
		c.retiring[m.PID] = at
		s.memberDown(m, at)
	case history.Exited:
		s.memberExited(m, at)
	case history.Quarantined:
		c.Quarantined++
		c.booted(m.PID, at)
		s.memberDown(m, at)
	case history.BootFailed:
		c.BootsFailed++
		c.BootErrs[m.PID] = m.Err
		c.booted(m.PID, at)
	case history.BreakerOpened:
		c.Opened++
	case history.BreakerClosed:
		c.Closed++
	case history.Late:
		c.LateResults++
	case history.AnsweredTwice:
		c.LateResults++
		s.Tasks.again(m.Task)
	case history.Unlisted: // a sibling of members that ended before a listing could name it
		if counted && m.Exit != nil && m.Exit.Signal != "" && !s.Injections.EndedParent(at) {
			if c.Unlisted++; c.Unlisted == 1 {
				x := Exit{MemberEvent: *m}
				c.FirstUnlisted = Sighting{Line: s.Line, Err: "pid " + strconv.Itoa(m.PID) + ": " + x.How()}
			}
		}
	case history.ProbeAnswered:
		s.Evidence.named = append(s.Evidence.named, named{m.Task, m.PID, s.Line})
	case history.BadAnswer:
		if c.BadResults++; c.BadResults == 1 {
			c.FirstBad = Sighting{Line: s.Line, Err: m.Err}
		}
	case history.Requeued:
		if m.Blamed {
			c.blamed = append(c.blamed, blame{m.PID, s.Line, m.Task})
		}
	}
}

func (s *Ledger) memberReady(m *history.MemberEvent, at time.Duration, counted bool) {
	c := &s.Members
	c.booted(m.PID, at)
	delete(c.retiring, m.PID)
	_, again := c.ready[m.PID]
	c.ready[m.PID] = at
	if m.Slot < 0 {
		return
	}
	c.up[m.Slot] = m.PID
	if counted && !again {
		c.Turnover++
	}
	if counted {
		c.Replaced += c.waiting[m.Slot]
	}
	delete(c.waiting, m.Slot)
	s.Whole.risen(m.Slot, m.PID, at, s.Line)
	s.Slots.ready(m.Slot, m.PID, at)
}

// memberDown takes the member from its slot, if it is there.
func (s *Ledger) memberDown(m *history.MemberEvent, at time.Duration) {
	s.Whole.fallen(m.Slot, m.PID, at, s.Line)
	if pid, ok := s.Members.up[m.Slot]; ok && pid == m.PID {
		delete(s.Members.up, m.Slot)
	}
}

func (s *Ledger) memberExited(m *history.MemberEvent, at time.Duration) {
	c := &s.Members
	c.deaths[m.PID] = append(c.deaths[m.PID], at)
	if m.Exit != nil {
		c.running[m.PID] = append(c.running[m.PID], m.Exit.Task)
		if m.Exit.MaxRSS > c.MaxRSS {
			c.MaxRSS, c.rssLine = m.Exit.MaxRSS, s.Line
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
	if s.Stage < stop {
		c.Exits = append(c.Exits, Exit{*m, at, s.Line, wasReady, since})
		c.ends[m.PID] = append(c.ends[m.PID], at)
	}
	readySince := c.ready[m.PID]
	delete(c.ready, m.PID)
	s.memberDown(m, at)
	if !wasReady || m.Slot < 0 || s.Stage >= stop {
		return
	}
	if next, ok := c.up[m.Slot]; ok && next != m.PID && c.ready[next] >= readySince {
		// its successor was ready before it ended
		if s.Stage >= Chaos {
			c.Replaced++
		}
		return
	}
	c.waiting[m.Slot]++
}

// ExitsThat counts the exits for which is says so.
func (s *Ledger) ExitsThat(is func(*Exit) bool) Reading {
	n := 0
	for i := range s.Members.Exits {
		if is(&s.Members.Exits[i]) {
			n++
		}
	}
	return s.Told(n)
}

// Told is a number of things that only the target can tell: without any event from one that has events to tell, it is
// not known.
func (s *Ledger) Told(n int) Reading {
	records := s.Members.Events
	if records == 0 && s.Can("events") {
		records = 1
	}
	return Count(n, records)
}
