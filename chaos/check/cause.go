package check

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/chaos/ledger"
)

// breach says in one sentence how the threshold was broken, and which line of the history shows it.
func (s *state) breach(t Threshold) (text string, line int) {
	if explain, ok := explanations[t.Metric]; ok && t.Group != "require" && t.above() {
		if text, line := explain(s, int(t.Actual)); text != "" {
			return text, line
		}
	}
	if t.Group == "require" && t.Metric == "faults.confirmed" {
		return s.tooFewFaults(t), 0
	}
	text = t.short()
	if few, ok := s.few(t.Metric); ok {
		text = fmt.Sprintf("%s cannot be %s: of the %d samples that it needs there are %d, from %s to %s",
			t.Metric, t.wanted(), few.need,
			few.N(), Seconds.Show(few.Smallest(1)), Seconds.Show(few.Smallest(few.N())))
	} else if t.Samples > 1 {
		text += fmt.Sprintf(" (%d samples)", t.Samples)
	}
	if d, of := s.distOf(t.Metric); of != nil && bounds(t.Op) && d.N() > 0 {
		return text + of(d.Line), d.Line
	}
	return text, 0
}

// explanations are the sentences for breaches that are best told by their first case.
var explanations = map[string]func(s *state, n int) (string, int){
	"tasks.lost":        (*state).sayLost,
	"tasks.unwitnessed": (*state).sayUnwitnessed,
	"tasks.early":       (*state).sayEarly,
	"tasks.outside":     (*state).sayOutside,
	"tasks.overlapping": (*state).sayOverlapping,
	"results.misnamed":  (*state).sayMisnamed,
	"tasks.hung": func(s *state, n int) (string, int) {
		return s.sayOutcome(n, history.Hung, "had no outcome by the end")
	},
	"tasks.failed": func(s *state, n int) (string, int) { return s.sayOutcome(n, history.Failed, "failed") },
	"tasks.wrong": func(s *state, n int) (string, int) {
		return s.sayOutcome(n, history.Wrong, "gave a wrong value")
	},
	"tasks.duplicated":   (*state).sayDuplicated,
	"blame.bystanders":   (*state).sayBystanders,
	"exits.unexplained":  (*state).sayUnexplained,
	"exits.collateral":   (*state).sayCollateral,
	"exits.unlisted":     (*state).sayUnlisted,
	"results.rejected":   (*state).sayRejected,
	"fleet.left":         (*state).sayLeft,
	"slots.silent":       (*state).saySilent,
	"slots.apart":        (*state).sayApart,
	"slots.slow":         (*state).saySlow,
	"slots.throttled":    (*state).sayThrottled,
	"settle.time":        (*state).saySettleTime,
	"slots.lost":         (*state).sayNotBack,
	"pool.missing":       (*state).sayMissing,
	"pool.surplus":       (*state).saySurplus,
	"processes.orphaned": (*state).sayOrphaned,
	"processes.left":     (*state).sayLeftBehind,
	"processes.zombies": func(s *state, n int) (string, int) {
		return sayLeft(s, n, "zombie", "zombies", "that nobody reaped")
	},
	"cgroups.leaked": func(s *state, n int) (string, int) {
		return sayLeft(s, n, "cgroup", "cgroups", "of the target")
	},
}

func (s *state) sayOutcome(n int, o history.Outcome, what string) (string, int) {
	first := s.Tasks.FirstOf[o]
	return s.ofTasks(n) + " " + what + "; " + theFirst(n) + first.String(), first.Line
}

func (s *state) sayLost(n int) (string, int) {
	first, ok := s.Tasks.FirstOf[history.Lost]
	if !ok {
		first = s.Tasks.Sums.FirstUnsettled
		first.Err = "it was submitted and never heard of again"
	}
	return s.ofTasks(n) + " " + wereLost(n) + "; " + theFirst(n) + first.String(), first.Line
}

func (s *state) sayUnwitnessed(n int) (string, int) {
	first := s.Tasks.Sums.FirstUnwitnessed
	return s.ofTasks(n) + " gave a value though nobody witnessed an execution; " + theFirst(n) + first.String(),
		first.Line
}

func (s *state) sayEarly(n int) (string, int) {
	first := s.Tasks.Sums.FirstEarly
	return s.ofTasks(n) + " gave a value before " + pick(n, "it", "they") + " can have been done; " + theFirst(n) +
		first.String(), first.Line
}

func (s *state) sayOutside(n int) (string, int) {
	first := s.Evidence.FirstOutside
	return number(n, "execution", "executions") + " of tasks " + wasWere(n) + " by processes that are no members; " +
		theFirst(n) + "of " + first.String(), first.Line
}

func (s *state) sayMisnamed(n int) (string, int) {
	first := s.Evidence.FirstMisnamed
	return number(n, "answer", "answers") + " " + pick(n, "names", "name") + " a process that did not run the task; " +
		theFirst(n) + "to " + first.String(), first.Line
}

func (s *state) sayDuplicated(n int) (string, int) {
	first := s.Tasks.Sums.FirstDuplicated
	e := s.Tasks.All[first.ID]
	if e.Ends > 1 {
		return s.ofTasks(n) + " ended twice for their submitter; " + theFirst(n) + first.String() +
			fmt.Sprintf(", with %d outcomes", e.Ends), first.Line
	}
	// it is one of the load's or of the harness's own
	runs := append(s.Tasks.RunsOf(first.ID, e), s.Evidence.RunsOf(first.ID)...)
	by := make([]string, len(runs))
	for i, r := range runs {
		by[i] = "pid " + strconv.Itoa(int(r.PID))
	}
	if one := slices.Compact(slices.Clone(by)); len(one) == 1 {
		by = []string{one[0] + " each time"}
	}
	often := times(len(runs))
	if n > 1 {
		often = "more often than there is a reason for"
	}
	return s.ofTasks(n) + " " + wasWere(n) + " run " + often + "; " + theFirst(n) + first.String() + ", run by " +
		and(by), first.Line
}

func (s *state) sayBystanders(n int) (string, int) {
	first := s.Tasks.Sums.FirstBystander
	if first.Err == "" {
		first.Err = "it was given up as lost, though no death cut an execution of it short"
	}
	return number(n, "task", "tasks") + " paid for the death of a member that " + theyDidNot(n) + "; " + theFirst(n) +
		first.String(), first.Line
}

func (s *state) sayUnexplained(n int) (string, int) {
	for k := range s.Members.Exits {
		x := &s.Members.Exits[k]
		if _, boot := s.Members.BootErrs[x.PID]; s.Unexplained(x) && (x.WasReady || !boot) {
			return s.sayExit(n, s.Unexplained, "died though nobody caused it")
		}
	}
	return s.sayExit(n, s.Unexplained, "did not come up")
}

func (s *state) sayCollateral(n int) (string, int) {
	return s.sayExit(n, s.Collateral, "that no fault was aimed at "+wasWere(n)+" ended by the target")
}

func (s *state) sayUnlisted(n int) (string, int) {
	first := s.Members.FirstUnlisted
	return number(n, "process", "processes") + " beside the members died before a listing could name " +
		pick(n, "it", "them") + "; " + theFirst(n) + first.Err, first.Line
}

// sayExit tells of the first of those exits, and of the injection that they followed at once, if one did: then they are
// likely to be the target's own reaction to it.
func (s *state) sayExit(n int, is func(*ledger.Exit) bool, what string) (string, int) {
	at := slices.IndexFunc(s.Members.Exits, func(x ledger.Exit) bool { return is(&x) })
	if at < 0 {
		return "", 0
	}
	x := &s.Members.Exits[at]
	why := x.How()
	if words := cmp.Or(s.Members.BootErrs[x.PID], x.LastWords()); words != "" {
		why += " (" + words + ")"
	}
	if x.Reason != "" {
		why += ", for the reason " + strconv.Quote(x.Reason)
	}
	if i := s.Provoked(x); i != nil {
		followed, last := 0, time.Duration(0)
		for k := range s.Members.Exits {
			if y := &s.Members.Exits[k]; is(y) && s.Provoked(y) == i {
				followed++
				last = max(last, y.Ended-i.Took())
			}
		}
		if what += ", "; followed < n {
			what += strconv.Itoa(followed) + " of them "
		}
		what += "within " + Seconds.Show(last.Seconds()) + " of " + i.Deed()
	}
	return fmt.Sprintf("%s %s; %sslot %d, pid %d: %s", number(n, "member", "members"), what, theFirst(n), x.Slot, x.PID,
		why), x.Line
}

func (s *state) sayRejected(n int) (string, int) {
	first := s.Members.FirstBad
	if first.Err == "" {
		return "", 0
	}
	return number(n, "answer", "answers") + " " + isAre(n) + " missing or should never have come; " + theFirst(n) +
		first.Err, first.Line
}

func (s *state) saySilent(n int) (string, int) {
	silent := []string{}
	for slot := 0; slot < min(s.Whole.Want, ledger.MaxSlots) && len(silent) <= 5; slot++ {
		if _, ok := s.Probes.Final[slot]; !ok {
			silent = append(silent, strconv.Itoa(slot))
		}
	}
	text := fmt.Sprintf("%d of %d slots %s not answer at the end", n, s.Whole.Want, doDoes(n))
	switch s.Header.Target.Proof {
	case "presence":
		text = fmt.Sprintf("%d of %d slots %s without a process at the end", n, s.Whole.Want, isAre(n))
	case "call":
		text = fmt.Sprintf("%d of %d slots %s without a process at the end, or the target does not answer",
			n, s.Whole.Want, isAre(n))
	}
	switch {
	case len(silent) > 5:
		text += ": slots " + strings.Join(silent[:5], ", ") + ", …"
	case len(silent) > 0:
		text += ": " + pick(len(silent), "slot ", "slots ") + and(silent)
	case len(s.badAnswer()) > 0:
		text += ": " + s.badAnswer()
	default:
		text += ": some slots were answered for by the same process"
	}
	return text + s.sizeLie(), max(s.Probes.FailedLine, s.Looks.LastLine)
}

// badAnswer tells of the first slot for which a process answered that was dead, or never its member.
func (s *state) badAnswer() string {
	for _, slot := range ledger.SortedKeys(s.Probes.Final) {
		switch a := s.Probes.Final[slot]; {
		case s.Killed(a):
			return fmt.Sprintf("slot %d was answered for by pid %d, which had been ended before", slot, a.PID)
		case s.Stranger(slot, a):
			return fmt.Sprintf("slot %d was answered for by pid %d, which never was its member", slot, a.PID)
		}
	}
	return ""
}

// sizeLie is what the target says of its size, where /proc shows fewer.
func (s *state) sizeLie() string {
	if l := &s.Looks.Last; s.Looks.N > 0 && l.Ready > l.Alive {
		return fmt.Sprintf("; the target says that %d members are ready, /proc shows %d alive", l.Ready, l.Alive)
	}
	return ""
}

func (s *state) sayNotBack(n int) (string, int) {
	d, first := s.distOf("slot.recovery.max")
	return number(n, "slot", "slots") + " did not come back" +
		strings.Replace(first(d.Line), "the worst is", "the first is", 1), d.Line
}

func (s *state) sayMissing(n int) (string, int) {
	return fmt.Sprintf("%d of %d members %s not back when the faults were over", n, s.Looks.Last.Want, wasWere(n)) +
		s.sizeLie(), s.Looks.LastLine
}

func (s *state) saySurplus(n int) (string, int) {
	return fmt.Sprintf("%d members were there when the faults were over, and there may be %d",
		s.Header.Target.Most+n, s.Header.Target.Most), s.Looks.LastLine
}

func (s *state) sayOrphaned(n int) (string, int) {
	if gone := s.Looks.Gone; gone != nil && gone.Left > 0 {
		return number(gone.Left, "process", "processes") + " of the target ran on after it was told to end, and " +
			wasWere(gone.Left) +
			" ended by the harness", s.Looks.EndLine
	}
	return number(n, "process", "processes") + " of the target " + isAre(n) + " left that " + isAre(n) + " no member's",
		s.Looks.EndLine
}

func (s *state) sayLeftBehind(n int) (string, int) {
	return number(n, "process", "processes") + " of the target " + isAre(n) + " left that came with the faults and " +
		isAre(n) + " no member's", s.Looks.EndLine
}

func sayLeft(s *state, n int, one, many, of string) (string, int) {
	return number(n, one, many) + " " + of + " " + isAre(n) + " left at the end", s.Looks.EndLine
}

// tooFewFaults says what became of the injections of an entry of the chaos list.
func (s *state) tooFewFaults(t Threshold) string {
	if s.Injections.Outcomes[history.Confirmed] == 0 {
		return "no fault was confirmed" + s.otherOutcomes()
	}
	return fmt.Sprintf("only %d of at least %s faults were confirmed%s",
		int(t.Actual), formatNumber(t.Limit), s.otherOutcomes())
}

// otherOutcomes is ": 2 refused (no privilege), 1 missed".
func (s *state) otherOutcomes() string {
	why := map[history.FaultOutcome]string{}
	for _, n := range ledger.SortedKeys(s.Injections.ByN) {
		if i := s.Injections.ByN[n]; i.Err != "" && why[i.Outcome] == "" {
			why[i.Outcome] = " (" + i.Err + ")"
		}
	}
	parts := []string{}
	for _, o := range []history.FaultOutcome{
		history.AlreadyGone, history.Refused, history.Unconfirmed, history.Missed,
	} {
		if n := s.Injections.Outcomes[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s%s", n, strings.ReplaceAll(string(o), "_", " "), why[o]))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// distOf is the distribution that a metric is of, and how to name what its largest sample comes from.
func (s *state) distOf(metric string) (ledger.View, func(line int) string) {
	injection := func(line int) string {
		for _, n := range ledger.SortedKeys(s.Injections.ByN) {
			if i := s.Injections.ByN[n]; i.Line == line {
				return "; the worst is after injection " + i.String()
			}
		}
		return ""
	}
	nothing := func(int) string { return "" }
	for _, d := range []struct {
		family string
		dist   ledger.View
		name   func(int) string
	}{
		{"slot.recovery.", s.Recovering(), injection},
		{"pool.recovery.", s.Pool().Recover.Now(), injection},
		{"pool.below.", s.Pool().Below.Now(), nothing},
		{"faults.effect.", s.Injections.Effect.Now(), injection},
		{"faults.detection.", s.Injections.Detection.Now(), nothing},
		{"faults.lag.", s.Injections.Lag.Now(), nothing},
		{"tasks.requeue.", s.Tasks.Requeue.Now(), nothing},
		{"tasks.latency.before.", s.Latency(1), nothing},
		{"tasks.latency.during.", s.Latency(2), nothing},
		{"tasks.latency.after.", s.Latency(3), nothing},
		{"tasks.latency.", s.Latency(0), nothing},
	} {
		if strings.HasPrefix(metric, d.family) {
			return d.dist, d.name
		}
	}
	return ledger.View{}, nil
}

// missing says why a rule has no data.
func (s *state) missing(r history.Rule) string {
	name := r.Metric
	if s.read(name, false).Samples > 0 && r.Than != "" {
		name = r.Than
	}
	if _, ok := Lookup(name); !ok {
		return "there is no metric " + strconv.Quote(name)
	}
	if few, ok := s.few(name); ok {
		return fmt.Sprintf("a %s needs %d samples, there are %d", name[strings.LastIndexByte(name, '.')+1:],
			few.need, few.N())
	}
	return "there is no data for " + name
}

func (s *state) sayApart(n int) (string, int) {
	w := &s.Together.Sides[1]
	text := "only " + strconv.Itoa(s.Workers()-n) + " of " + strconv.Itoa(s.Workers()) +
		" slots were at work at the same time at the end, however long their tasks lasted"
	if w.Failed > 0 {
		text += "; " + number(w.Failed, "task", "tasks") + " of theirs failed: " + w.Failure
	}
	return text, w.Line
}

func (s *state) saySlow(n int) (string, int) {
	was, calm := s.UsualAnswerTime()
	starved := ""
	if took := was - calm; took >= time.Millisecond {
		starved = ", of which a starved host took " + Seconds.Show(took.Seconds())
	}
	return number(n, "member", "members") + " took " + Seconds.Show(s.AnswerTime(1).Value) +
		" longer than their tasks at the end, at best; before the faults " +
		Seconds.Show(was.Seconds()) + starved, s.Together.Sides[1].Line
}

func (s *state) sayThrottled(int) (string, int) {
	was, is, known := s.Paces()
	text := fmt.Sprintf("a queue of tasks was done %.1f at a time at the end, at best; before the faults %.1f", is, was)
	if !known && was == 0 {
		text += ", since less than half of the tasks were answered"
	} else if !known {
		text += ", on a host that was starved all the time"
	} else if was > 1.05*min(s.QueuePace(0).Value, float64(s.Workers())) {
		text += ", by the first of the answers"
	}
	if is < history.Regained*was {
		text += ": the target has " + percent(is/was) + " of its throughput"
	}
	return text, s.Queues.Line
}

func (s *state) sayOverlapping(n int) (string, int) {
	first := s.Evidence.FirstOverlap
	return number(n, "execution", "executions") +
		" began while another went on in the same process, which none did before the faults; " + theFirst(n) + "of " +
		first.String(), first.Line
}
