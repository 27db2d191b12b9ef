package shrink

import (
	"fmt"
	"strings"
	"time"

	"github.com/respawn-go/respawn/internal/units"
	"github.com/respawn-go/respawn/scenarios"
)

// Sentence says what suffices: "2 of 150 kills suffice: slot 3 while it writes, then slot 1 within 12 ms; fails 9 of
// 10".
func (f Found) Sentence(start Candidate) string {
	before, after, usual := len(start.Strikes), len(f.Best.Strikes), usual(start.Strikes)
	often := fmt.Sprintf("fails %d of %d", f.Failed, f.Runs)
	noun := nounOf(start.Strikes)
	if after == 0 {
		return fmt.Sprintf("none of %d %s is needed; %s", before, noun, often)
	}
	suffice := "suffice"
	if after == 1 {
		suffice = "suffices"
	}
	var b strings.Builder
	for i, s := range f.Best.Strikes {
		if i > 0 {
			b.WriteString(", then ")
		}
		b.WriteString(words(s, usual))
		if i > 0 && !f.Loose[i] {
			fmt.Fprintf(&b, " within %s", milliseconds(s.At-f.Best.Strikes[i-1].At))
		}
	}
	return fmt.Sprintf("%d of %d %s %s: %s; %s", after, before, noun, suffice, b.String(), often)
}

// usual is the fault that most of the strikes are.
func usual(strikes []scenarios.Strike) (most string) {
	count := map[string]int{}
	for _, s := range strikes {
		if count[s.Fault]++; count[s.Fault] > count[most] {
			most = s.Fault
		}
	}
	return most
}

// nounOf is what all of the strikes are.
func nounOf(strikes []scenarios.Strike) string {
	noun := ""
	for _, s := range strikes {
		one := "injections"
		switch {
		case strings.Contains(s.Fault, "signal: KILL") || strings.Contains(s.Fault, "name: KILL"):
			one = "kills"
		case isPause(s.Fault):
			one = "pauses"
		}
		if noun != "" && noun != one {
			return "injections"
		}
		noun = one
	}
	if noun == "" {
		return "injections"
	}
	return noun
}

// doing is what a victim does that was picked for its phase or state.
var doing = map[string]string{
	"writing": "while it writes", "reading": "while it reads", "running": "while it runs a task",
	"booting": "while it boots", "draining": "while it drains", "idle": "while it is idle", "busy": "while it is busy",
	"starting": "while it starts", "ready": "",
}

// words names the strike, with its fault unless that is the usual one.
func words(s scenarios.Strike, usual string) string {
	if s.Whole {
		return strings.Trim(s.Fault, "{}")
	}
	who := fmt.Sprintf("slot %d", s.Slot)
	if s.Slot < 0 {
		who = "any slot"
	}
	switch length, _ := strings.CutPrefix(s.Fault, "{pause: {for: "); {
	case s.Fault == usual:
	case isPause(s.Fault):
		who = "a pause of " + who + " for " + strings.Trim(length, "{}")
	default:
		who = strings.NewReplacer("{", "", "}", "").Replace(s.Fault) + " on " + who
	}
	for _, state := range []string{s.Phase, s.State} {
		if words := doing[state]; words != "" {
			who += " " + words
		}
	}
	return who
}

// milliseconds is a short time, rounded up: 12ms.
func milliseconds(d time.Duration) string {
	return units.Duration(max(d+time.Millisecond-1, time.Millisecond).Truncate(time.Millisecond)).String()
}
