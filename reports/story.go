package reports

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// story is what happened around the first bad event of a run: who was struck, what became of the task, what was
// expected and what came, with the lines of the history that tell of it.
type story struct {
	Links          []link // to its fault, task, slots and first line
	Expected, Came string
	Steps          []step
	Strip          template.HTML // the slots concerned, over its time
	Quotes         []quote
	QuotesCut      int

	line   int                   // of the history, that the finding names; 0: none
	task   uint64                // if has
	has    bool                  // it is about a task
	faults []*ledger.Injection   // that led to it
	pids   map[int]bool          // of its processes
	slots  []int                 // of its processes
	runs   []ledger.Run          // of its task
	end    time.Duration         // of what it is about
	seen   map[*ledger.Life]bool // whose steps are told
	deaths map[int]*ledger.Death // by injection
}

// link leads to a place of the page.
type link struct{ Href, Text string }

// step is one thing that happened.
type step struct {
	At    string
	Where link // what it is about
	Text  string
	Bad   bool

	at time.Duration
}

// quote is a line of the history as it is, or its beginning.
type quote struct {
	N    int
	Text string
	Bad  bool // it is the one that the finding names
}

// storyOf is the story of the gravest finding; nil where there is none, or nothing that happened stands behind it.
func (r *Report) storyOf() *story {
	if len(r.Findings) == 0 || r.Ledger == nil {
		return nil
	}
	f := r.Findings[0]
	s := &story{line: f.Event, pids: map[int]bool{}, seen: map[*ledger.Life]bool{}, deaths: map[int]*ledger.Death{}}
	for _, d := range r.Ledger.Slots.Deaths {
		s.deaths[d.N] = d
	}
	switch task, injection, life := r.subject(f); {
	case task != nil:
		s.aboutTask(r, *task)
	case injection != nil:
		s.aboutInjection(r, injection, f)
	case life != nil:
		s.aboutExit(r, life)
	case f.Event == 0:
		return nil
	}
	for _, i := range s.faults {
		s.struck(r, i)
	}
	s.Steps = slices.DeleteFunc(s.Steps, func(x step) bool { return s.end > 0 && x.at > s.end })
	slices.SortStableFunc(s.Steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	if len(s.Steps) > mostSteps {
		s.Steps = s.Steps[:mostSteps]
	}
	for i := range s.Steps {
		s.Steps[i].At = seconds(max(0, s.Steps[i].at.Seconds()))
	}
	slices.Sort(s.slots)
	s.slots = slices.Compact(s.slots)
	s.link()
	s.strip(r)
	return s
}

// What a story tells at most.
const (
	mostSteps   = 30
	mostQuotes  = 40
	longestLine = 600
)

// subject is what the finding is about: by the line that it names, or by its metric.
func (r *Report) subject(f check.Finding) (task *uint64, injection *ledger.Injection, life *ledger.Life) {
	l := r.Ledger
	if f.Event > 1 {
		for _, i := range l.Injections.List {
			if slices.Contains(i.Lines, f.Event) {
				return nil, i, nil
			}
		}
		for _, x := range l.Lives.Ends {
			if x.Line == f.Event {
				return nil, nil, x
			}
		}
		for id, e := range l.Tasks.All {
			if int(e.Line) == f.Event || int(e.Begun) == f.Event {
				return &id, nil, nil
			}
		}
	}
	of := func(family string) bool { return strings.HasPrefix(f.Metric, family) }
	switch bad, again := l.Troubled(); {
	case (of("tasks.") || of("blame.")) && len(bad)+len(again) > 0:
		first := append(bad, again...)[0]
		return &first, nil, nil
	case of("slot") || of("pool.") || of("settle."):
		return nil, r.worstDeath(), nil
	}
	return nil, nil, nil
}

// worstDeath is the injection whose slot did not come back, or took the longest to.
func (r *Report) worstDeath() *ledger.Injection {
	var worst *ledger.Death
	for _, d := range r.Ledger.Slots.Deaths {
		switch {
		case d.Fate == ledger.GivenUp:
		case worst == nil, worst.Fate == ledger.Recovered && (d.Fate != ledger.Recovered || d.Took() > worst.Took()):
			worst = d
		}
	}
	if worst == nil {
		return nil
	}
	return r.Ledger.Injections.ByN[worst.N]
}

func (s *story) step(at time.Duration, where link, bad bool, format string, args ...any) {
	s.Steps = append(s.Steps, step{at: at, Where: where, Text: fmt.Sprintf(format, args...), Bad: bad})
}

// process takes a process and its slot into the story.
func (s *story) process(r *Report, pid int, at time.Duration) (where link, slot int) {
	s.pids[pid] = true
	if one := r.Ledger.Lives.Of(pid, at); one != nil && one.Slot >= 0 {
		s.slots = append(s.slots, one.Slot)
		s.ended(r, one)
		return link{fmt.Sprintf("#slot-%d", one.Slot), fmt.Sprintf("slot %d", one.Slot)}, one.Slot
	}
	return link{"", fmt.Sprintf("pid %d", pid)}, -1
}

// ended tells how a process of the story ended.
func (s *story) ended(r *Report, one *ledger.Life) {
	if s.seen[one] || one.To < 0 {
		return
	}
	s.seen[one] = true
	end, class := r.endOf(one)
	if class == "bad" {
		end += ", and nobody knows why"
	}
	s.step(one.To, link{fmt.Sprintf("#slot-%d", one.Slot), fmt.Sprintf("slot %d", one.Slot)}, class == "bad",
		"pid %d ended: %s", one.PID, end)
}

// aboutTask tells of a task, its executions and what cut them short.
func (s *story) aboutTask(r *Report, id uint64) {
	l, e := r.Ledger, r.Ledger.Tasks.All[id]
	s.task, s.has, s.runs = id, true, l.Tasks.RunsOf(id, e)
	here := link{fmt.Sprintf("#task-%d", id), fmt.Sprintf("task %d", id)}
	if e.Begun > 0 {
		s.step(e.Submitted, here, false, "submitted")
	}
	if s.end = e.Settled; e.End() == "" {
		s.end = l.Now
	}
	cut := 0
	for n, run := range s.runs {
		pid := int(run.PID)
		where, _ := s.process(r, pid, run.Start)
		s.step(run.Start, where, false, "execution %d of the task begins in pid %d", n+1, pid)
		killer := killerOf(l, pid, run.Start)
		switch {
		case run.End > 0:
			s.step(run.End, where, false, "execution %d ends in pid %d", n+1, pid)
		case killer != nil:
			cut++
		}
		if killer != nil && (run.End == 0 || killer.Died <= s.end) {
			s.faults = append(s.faults, killer)
		}
	}
	if len(s.faults) == 0 && e.End() != history.OK { // nobody witnessed it: what struck last while it was on its way
		for _, i := range slices.Backward(l.Injections.List) {
			if i.Fatal && i.Died >= e.Submitted && i.Died <= s.end {
				s.faults = append(s.faults, i)
				break
			}
		}
	}
	s.Expected, s.Came = expectedOf(e, cut), cameOf(e, len(s.runs), l.Tasks.Errs[id])
	s.step(s.end, here, true, "%s", s.Came)
}

// killerOf is the injection that ended the process after that time, nil if none did.
func killerOf(l *ledger.Ledger, pid int, since time.Duration) *ledger.Injection {
	for _, i := range l.Injections.ByPID[pid] {
		if i.Fatal && i.Died >= since {
			return i
		}
	}
	return nil
}

func expectedOf(e ledger.Task, cut int) string {
	switch {
	case e.End() == history.OK && e.Ends > 1:
		return "one outcome"
	case e.End() == history.OK && cut > 0:
		return fmt.Sprintf("its value, after %s", plural(cut+1, "execution"))
	case e.End() == history.OK:
		return "its value, after one execution"
	case cut > 0:
		return "its value, from another execution once a death had cut the first short"
	}
	return "its value"
}

func cameOf(e ledger.Task, runs int, why string) string {
	because := ""
	if why != "" {
		because = ": " + ledger.Clip(strings.TrimSpace(why), maxName)
	}
	switch e.End() {
	case "", history.Hung:
		return "nothing, by the end of the run"
	case history.Lost:
		return "the error that its worker was lost" + because
	case history.Wrong:
		return "another value" + because
	case history.Rejected:
		return "a rejection" + because
	case history.OK:
		if e.Ends > 1 {
			return plural(int(e.Ends), "outcome")
		}
		return "its value, after " + plural(max(runs, int(e.Attempts)), "execution")
	}
	return "an error" + because
}

// aboutInjection tells of a fault, and of the slot that it was aimed at.
func (s *story) aboutInjection(r *Report, i *ledger.Injection, f check.Finding) {
	s.faults = append(s.faults, i)
	d := s.deaths[i.N]
	if d == nil {
		s.Expected, s.Came = "that the fault is confirmed", string(cmp.Or(i.Outcome, "no outcome"))
		if i.HealErr != "" {
			s.Expected, s.Came = "that the fault is undone", "an error: "+i.HealErr
		}
		return
	}
	s.Expected = "a successor in the slot that is ready and answers"
	for _, t := range r.Thresholds {
		if t.Metric == f.Metric && !t.OK && unitOf(t.Metric) == check.Seconds && t.Limit > 0 {
			s.Expected += ", within " + seconds(t.Limit)
		}
	}
	switch s.end = r.Ledger.Now; d.Fate {
	case ledger.Recovered:
		s.end, s.Came = d.Back, "one after "+seconds(d.Took().Seconds())
	case ledger.Waiting:
		s.Came = "none by the time at which the run was ended"
	default:
		s.Came = "none, by the end of the run"
		s.step(s.end, link{fmt.Sprintf("#slot-%d", d.Slot), fmt.Sprintf("slot %d", d.Slot)}, true, "no successor")
	}
}

// aboutExit tells of a death that nobody caused, or that the target did, and of what it followed.
func (s *story) aboutExit(r *Report, life *ledger.Life) {
	s.Expected, s.Came = "that it lives until somebody ends it", "its end"
	if one := slices.IndexFunc(r.Exits, func(x Exit) bool { return x.line == life.Line }); one >= 0 {
		s.Came = r.Exits[one].how()
	}
	s.end = life.To
	s.process(r, life.PID, life.To)
	if life.From >= 0 {
		s.step(life.From, link{fmt.Sprintf("#slot-%d", life.Slot), fmt.Sprintf("slot %d", life.Slot)}, false,
			"pid %d starts", life.PID)
	}
	var last *ledger.Injection
	for _, i := range r.Ledger.Injections.List {
		if i.Outcome == history.Confirmed && i.Took() <= life.To && (last == nil || i.Took() > last.Took()) {
			last = i
		}
	}
	if last != nil {
		s.faults = append(s.faults, last)
	}
}

// struck tells of a fault, of its victim's end, and of who came after it.
func (s *story) struck(r *Report, i *ledger.Injection) {
	where := link{fmt.Sprintf("#fault-%d", i.N), fmt.Sprintf("fault #%d", i.N)}
	who, at := "the target", i.Took()
	if v := i.Victim; v != nil {
		who = fmt.Sprintf("slot %d, pid %d", v.Slot, v.PID)
		if v.Phase != "" {
			who += ", " + v.Phase
		}
		if v.Slot >= 0 {
			s.process(r, v.PID, at)
		}
	}
	how := string(cmp.Or(i.Outcome, "not settled"))
	if i.Receipt != nil {
		how += " by " + i.Receipt.Tier
	}
	s.step(at, where, false, "%s on %s: %s", ledger.Clip(i.Text, maxName), who, how)
	d := s.deaths[i.N]
	if d == nil || d.Fate != ledger.Recovered {
		return
	}
	s.pids[d.Successor] = true
	s.step(d.Back, link{fmt.Sprintf("#slot-%d", d.Slot), fmt.Sprintf("slot %d", d.Slot)}, false,
		"pid %d is ready and answers, %s after the death", d.Successor, seconds(d.Took().Seconds()))
	if !s.has {
		s.end = max(s.end, d.Back)
	}
}

// link gathers the places that the story leads to: the killer first.
func (s *story) link() {
	for n, i := range s.faults {
		if n < 3 {
			s.Links = append(s.Links, link{fmt.Sprintf("#fault-%d", i.N), fmt.Sprintf("fault #%d", i.N)})
		}
	}
	if s.has {
		s.Links = append(s.Links, link{fmt.Sprintf("#task-%d", s.task), fmt.Sprintf("task %d", s.task)})
	}
	for n, slot := range s.slots {
		if n < 3 {
			s.Links = append(s.Links, link{fmt.Sprintf("#slot-%d", slot), fmt.Sprintf("slot %d", slot)})
		}
	}
}

// strip draws the story's slots over its time, the executions of its task in a row above.
func (s *story) strip(r *Report) {
	if len(s.slots) == 0 || len(s.Steps) == 0 {
		return
	}
	slots := s.slots[:min(len(s.slots), 6)]
	from, to := s.Steps[0].at, s.Steps[len(s.Steps)-1].at
	if n := len(s.Steps); n > 2 { // a long wait for what never comes would leave no room for the rest
		if before := s.Steps[n-2].at; to-from > 4*(before-from) {
			to = from + 3*(before-from)/2
		}
	}
	margin := max((to-from)/12, 2*time.Millisecond)
	names := []string{}
	if s.has {
		names = append(names, fmt.Sprintf("task %d", s.task))
	}
	for _, slot := range slots {
		names = append(names, fmt.Sprintf("slot %d", slot))
	}
	c := newChart(wideChart, float64(len(names))*34+topMargin+26, 92, min(r.DurationS, (to+margin).Seconds()),
		float64(len(names)))
	c.x0 = max(0, (from - margin).Seconds())
	if c.x1 <= c.x0 {
		return
	}
	r.bands(c, false)
	c.axes(moments, axis{})
	row := func(i int) float64 { return float64(len(names) - i - 1) }
	for i, name := range names {
		c.label(c.left-6, c.py(row(i)+0.5)+4, "end", name)
	}
	clamp := func(d time.Duration) float64 { return min(max(d.Seconds(), c.x0), c.x1) }
	first := 0
	if s.has {
		first = 1
		for n, run := range s.runs {
			end := run.End
			if end == 0 {
				if end = s.end; n < len(s.runs) {
					if k := killerOf(r.Ledger, int(run.PID), run.Start); k != nil {
						end = k.Died
					}
				}
			}
			c.rect("bar", clamp(run.Start), row(0)+0.3, clamp(end), row(0)+0.7,
				fmt.Sprintf("execution %d in pid %d", n+1, run.PID))
		}
		c.sign("bad", cross, c.px(clamp(s.end)), c.py(row(0)+0.5), s.Came)
	}
	for i, slot := range slots {
		r.stripSlot(c, slot, row(first+i), clamp)
	}
	s.Strip = c.svg("strip", "The slots concerned", "The slots of this story over its time, with the executions of "+
		"its task, the faults that struck them, and who followed.")
}

// stripSlot draws the processes of a slot and the faults that struck it.
func (r *Report) stripSlot(c *chart, slot int, y float64, clamp func(time.Duration) float64) {
	for _, one := range r.slots()[slot] {
		start, end := max(0, one.From), one.To
		if end < 0 {
			end = r.Ledger.Now
		}
		if end.Seconds() < c.x0 || start.Seconds() > c.x1 {
			continue
		}
		up := end
		if one.Ready >= 0 {
			up = one.Ready
		}
		if up > start {
			c.rect("boot", clamp(start), y+0.46, clamp(up), y+0.58, fmt.Sprintf("pid %d boots", one.PID))
		}
		if end > up {
			c.rect("bar", clamp(up), y+0.3, clamp(end), y+0.74, fmt.Sprintf("pid %d", one.PID))
		}
	}
	for _, d := range r.Ledger.Injections.List {
		if d.Victim != nil && d.Victim.Slot == slot && d.Outcome == history.Confirmed && d.Took().Seconds() >= c.x0 &&
			d.Took().Seconds() <= c.x1 {
			c.linked(fmt.Sprintf("#fault-%d", d.N), func() {
				c.sign("hit", shapes[0], c.px(d.Took().Seconds()), c.py(y+0.74)-3.5, fmt.Sprintf("#%d %s", d.N, d.Text))
			})
		}
	}
}
