package check_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// tampered is a run that went well, whose record then lost, repeated or exchanged some of its lines, or facts in them.
// Its end is mended, so that nothing but what the lines say is left to judge by.
func tampered(t *rapid.T) *story {
	s := anyRun(t)
	events := s.events[:len(s.events)-1]
	at := func() int { return rapid.IntRange(0, len(events)-1).Draw(t, "line") }
	for range rapid.IntRange(1, 4).Draw(t, "changes") {
		if len(events) == 0 {
			break
		}
		switch rapid.SampledFrom([]string{"drop", "drop", "drop all alike", "repeat", "exchange", "lose a fact"}).
			Draw(t, "change") {
		case "drop":
			i := at()
			events = slices.Delete(events, i, i+1)
		case "drop all alike":
			like := kindOf(events[at()])
			events = slices.DeleteFunc(events, func(e history.Event) bool { return kindOf(e) == like })
		case "repeat":
			from, to := at(), at()
			events = slices.Insert(events, to, events[from])
		case "exchange":
			a, b := at(), at()
			events[a], events[b] = events[b], events[a]
		case "lose a fact":
			i := at()
			switch e := events[i]; {
			case e.Fault != nil:
				f := *e.Fault
				f.Receipt, f.Victim = nil, nil
				events[i].Fault = &f
			case e.Task != nil:
				f := *e.Task
				f.Outcome = ""
				events[i].Task = &f
			case e.Probe != nil:
				f := *e.Probe
				f.PID = 0
				events[i].Probe = &f
			}
		}
	}
	for i := range events { // the reader would see a time that goes back
		if i > 0 {
			events[i].T = max(events[i].T, events[i-1].T)
		}
	}
	s.events = events
	return s.end()
}

// kindOf names what a line is about.
func kindOf(e history.Event) string {
	switch {
	case e.Stage != nil:
		return "stage " + string(e.Stage.Name)
	case e.Member != nil:
		return "member " + string(e.Member.Op)
	case e.Fault != nil:
		return "fault " + string(e.Fault.Op)
	case e.Task != nil:
		return "task " + string(e.Task.Op)
	case e.Run != nil:
		return "run"
	case e.Probe != nil:
		return fmt.Sprint("probe ", e.Probe.For == 0)
	case e.Sample != nil:
		return fmt.Sprint("sample ", e.Sample.Want > 0)
	}
	return "other"
}

// A record that was tampered with is judged without a crash, and passes only if what is left of it proves a run:
// written anew here, in the plainest way, from what DESIGN demands of every scenario.
func TestATamperedRecordPassesOnlyIfWhatIsLeftProvesIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tampered(t)
		r := s.judge()
		if r.Verdict != check.Pass {
			return
		}
		if gap := unproven(s); gap != "" {
			for i, e := range s.events {
				t.Logf("%3d %s %+v %+v %+v", i, kindOf(e), e.Fault, e.Probe, e.Task)
			}
			t.Fatalf("PASS, but %s", gap)
		}
	})
}

// unproven is what the record of a run leaves open, "" when nothing.
func unproven(s *story) string {
	stage := ""
	seen := map[string]bool{}
	settled := map[int]int{}
	submitted, ended, ran := map[uint64]bool{}, map[uint64]int{}, map[uint64]bool{}
	answered := map[int]bool{}
	confirmed, verified := 0, false
	for _, e := range s.events {
		switch {
		case e.Stage != nil:
			stage, seen[string(e.Stage.Name)] = string(e.Stage.Name), true
		case e.Fault != nil && e.Fault.Op == history.Concluded:
			settled[e.Fault.N]++
			if e.Fault.Outcome == history.Confirmed && e.Fault.Receipt != nil {
				confirmed++
			}
		case e.Task != nil && e.Task.Op == history.Submitted:
			submitted[e.Task.ID] = true
		case e.Task != nil && e.Task.Op == history.Settled:
			ended[e.Task.ID]++
			if e.Task.Outcome != history.OK {
				return "a task did not give its value"
			}
		case e.Run != nil:
			ran[e.Run.Task] = true
		case e.Probe != nil && e.Probe.Op == history.Answered && e.Probe.For == 0 && stage == "verify" &&
			e.Probe.PID > 0:
			answered[e.Probe.Slot] = true
		case e.Sample != nil:
			verified = verified || stage == "verify"
		}
	}
	for _, name := range []string{"chaos", "verify", "stop"} {
		if !seen[name] {
			return "there is no stage " + name
		}
	}
	for n, times := range settled {
		if times > 1 {
			return fmt.Sprintf("injection %d is settled %d times", n, times)
		}
	}
	for id := range submitted {
		if ended[id] != 1 || !ran[id] {
			return fmt.Sprintf("task %d ended %d times, run: %v", id, ended[id], ran[id])
		}
	}
	switch {
	case confirmed == 0:
		return "no injection has a receipt"
	case len(answered) < s.h.Target.Size:
		return fmt.Sprintf("%d of %d slots answered at the end", len(answered), s.h.Target.Size)
	case !verified:
		return "nobody looked at the end"
	}
	return ""
}
