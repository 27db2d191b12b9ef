package pool

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// simLine is one line of the story of a seed.
type simLine struct {
	at     time.Duration
	who    *simProcess // nil: the pool, its owner or a client
	format string
	args   []any
}

func (l simLine) String() string {
	who := ""
	if l.who != nil {
		who = l.who.String()
	}
	return fmt.Sprintf("%14v  %-10s ", l.at, who) + fmt.Sprintf(l.format, l.args...)
}

// tell adds a line to the story.
func (s *simulation) tell(w *simProcess, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, simLine{time.Since(s.start), w, format, args})
}

// lines are the story, with what the pool told of it.
func (s *simulation) lines() []simLine {
	lines := slices.Clone(s.trace)
	for _, e := range s.events {
		format, args := "the pool: %v", []any{e.Kind}
		switch {
		case e.Exit != nil:
			format, args = format+" %v", append(args, e.Exit)
		case e.Err != nil:
			format, args = format+" %v", append(args, e.Err)
		case e.Kind == WorkerRetiring:
			format, args = format+" %v", append(args, e.Reason)
		}
		lines = append(lines, simLine{e.At.Sub(s.start), s.byPID[e.Worker.PID], format, args})
	}
	slices.SortStableFunc(lines, func(a, b simLine) int { return cmp.Compare(a.at, b.at) })
	return lines
}

// story is all of it as text.
func (s *simulation) story() string {
	var b strings.Builder
	for _, l := range s.lines() {
		fmt.Fprintln(&b, l)
	}
	return b.String()
}

// workerName is the pool's name for a worker, which slots that start one at the same instant race for.
var workerName = regexp.MustCompile(`Worker-\d+`)

// gist is the story without what may differ from run to run: the order of what happened at the same instant, and names.
func (s *simulation) gist() (text []string) {
	lines := s.lines()
	for start := 0; start < len(lines); {
		end := start
		for end < len(lines) && lines[end].at == lines[start].at {
			text = append(text, workerName.ReplaceAllString(lines[end].String(), ""))
			end++
		}
		slices.Sort(text[start:])
		start = end
	}
	return text
}
