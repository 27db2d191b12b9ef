package check

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/respawn-go/respawn/internal/units"
)

// The words of which causes are made.

func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return units.Number(float64(n)) + " " + many
}

// ofTasks is "2 tasks of 400".
func (s *state) ofTasks(n int) string {
	if s.Load.Count == 0 { // they are tasks that the harness sent by itself
		return number(n, "task", "tasks")
	}
	return number(n, "task", "tasks") + " of " + units.Number(float64(s.Load.Count))
}

func pick(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func wasWere(n int) string    { return pick(n, "was", "were") }
func isAre(n int) string      { return pick(n, "is", "are") }
func doDoes(n int) string     { return pick(n, "does", "do") }
func wereLost(n int) string   { return wasWere(n) + " lost" }
func theFirst(n int) string   { return pick(n, "it is ", "the first is ") }
func theyDidNot(n int) string { return pick(n, "it did not cause", "they did not cause") }

func times(n int) string {
	if n == 2 {
		return "twice"
	}
	return strconv.Itoa(n) + " times"
}

func percent(v float64) string { return strconv.FormatFloat(v*100, 'f', 0, 64) + "%" }

// and joins with commas, and the last with "and".
func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

// praise is the sentence of a run that passed: what it proved.
func (s *state) praise() string {
	parts := []string{}
	if n := s.Injections.Outcomes["confirmed"]; n > 0 {
		told := ""
		if by := s.Injections.Told; by == n {
			told = " by the target's word alone"
		} else if by > 0 {
			told = fmt.Sprintf(", %d of them by the target's word alone", by)
		}
		parts = append(parts, number(n, "fault", "faults")+" confirmed"+told)
	}
	if n := s.Load.Count; n > 0 && s.Tasks.Outcomes["ok"] == n {
		parts = append(parts,
			pick(n, "the one task gave its value", "all "+units.Number(float64(n))+" tasks gave their values"))
	}
	if d := &s.Slots.Recover; len(d.Samples) > 0 && s.Slots.Lost == 0 {
		parts = append(parts, s.backAgain()+" within "+Seconds.Show(d.Worst))
	}
	if n := int(s.ExitsThat(s.ScaledDown).Value); n > 0 {
		parts = append(parts,
			number(n, "member", "members")+" ended by "+pick(n, "itself", "themselves")+" as their number may vary")
	}
	switch s.Header.Target.Proof {
	case "presence":
		parts = append(parts, "that anybody answers was not tested")
	case "call":
		parts = append(parts, "which slot answers is not known")
	}
	if len(parts) == 0 {
		return "everything that was expected held"
	}
	return strings.Join(parts, ", ")
}

// backAgain is what shows that slots are back, in words.
func (s *state) backAgain() string {
	switch s.Header.Target.Proof {
	case "presence":
		return "a process in every slot again"
	case "call":
		return "a process in every slot again and the target answering"
	}
	return "every slot back"
}

// Show writes a value for people, with at most three digits that matter: 812ms, 70.1MiB, 49.8/s.
func (u Unit) Show(v float64) string {
	switch u {
	case Seconds:
		return units.Time(v)
	case Bytes:
		return units.Size(v)
	case PerSecond:
		return units.Number(v) + "/s"
	case Ratio:
		return units.Number(v*100) + "%"
	}
	return units.Number(v)
}
