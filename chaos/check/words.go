package check

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The words of which causes are made.

func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return separated(strconv.Itoa(n)) + " " + many
}

// separated is a whole number with a comma before each three digits.
func separated(digits string) string {
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// ofTasks is "2 tasks of 400".
func (s *state) ofTasks(n int) string {
	return number(n, "task", "tasks") + " of " + separated(strconv.Itoa(s.load.count))
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

// String is "task 17 (its worker was lost)".
func (g sighting) String() string {
	text := "task " + strconv.FormatUint(g.id, 10)
	if g.err != "" {
		text += " (" + g.err + ")"
	}
	return text
}

// String is "17 (signal KILL on slot 3, pid 411)".
func (i *injection) String() string {
	text := cmp.Or(i.text, "fault")
	if v := i.victim; v != nil && v.Slot >= 0 {
		text += fmt.Sprintf(" on slot %d, pid %d", v.Slot, v.PID)
	}
	return fmt.Sprintf("%d (%s)", i.n, text)
}

// deed is the injection as what was done: "the end of slot 3, pid 411, by injection 17 (signal KILL)", "injection 2 (resize 4)".
func (i *injection) deed() string {
	if v := i.victim; i.fatal && v != nil && v.Slot >= 0 {
		return fmt.Sprintf("the end of slot %d, pid %d, by injection %d (%s)", v.Slot, v.PID, i.n, cmp.Or(i.text, "fault"))
	}
	return "injection " + i.String()
}

// praise is the sentence of a run that passed: what it proved.
func (s *state) praise() string {
	parts := []string{}
	if n := s.faults.outcomes["confirmed"]; n > 0 {
		parts = append(parts, number(n, "fault", "faults")+" confirmed")
	}
	if n := s.load.count; n > 0 && s.account.outcomes["ok"] == n {
		parts = append(parts, pick(n, "the one task gave its value", fmt.Sprintf("all %d tasks gave their values", n)))
	}
	if d := &s.slots.recover; len(d.samples) > 0 && s.slots.lost == 0 {
		parts = append(parts, s.backAgain()+" within "+Seconds.Show(d.worst))
	}
	switch s.h.Target.Proof {
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
	switch s.h.Target.Proof {
	case "presence":
		return "a process in every slot again"
	case "call":
		return "a process in every slot again and the target answering"
	}
	return "every slot back"
}

// Show writes a value for people, with at most three digits that matter: 812ms, 70.1MiB, 49.8/s.
func (u Unit) Show(v float64) string {
	switch {
	case math.IsInf(v, 0):
		return u.Format(v)
	case u == Count && v == math.Trunc(v):
		return separated(u.Format(v))
	case u != Bytes:
		return u.Format(threeDigits(v))
	}
	for _, unit := range byteUnits {
		if math.Abs(v) >= unit.size {
			return formatNumber(threeDigits(v/unit.size)) + unit.name
		}
	}
	return u.Format(v)
}

func threeDigits(v float64) float64 {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	return r
}
