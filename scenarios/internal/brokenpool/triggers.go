//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Between a switch and an @ stands what it is switched on by: "wrong-value@slot-3" does nothing until the worker in
// slot 3 dies. So a bug has a cause among many deaths that can be looked for:
//
//	slot-N         a death in slot N
//	deaths-N       the Nth death
//	twice-N        the second death in slot N
//	idle-N, busy-N a death in slot N without a task, or with one
//	pair-A-B-MS    a death in slot B not more than MS milliseconds after one in slot A
type trigger func(w *worker, at time.Time) bool

// triggerOf reads one.
func (p *pool) triggerOf(text string) (trigger, error) {
	kind, rest, _ := strings.Cut(text, "-")
	var n []int
	for word := range strings.SplitSeq(rest, "-") {
		i, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("brokenpool: %q is no trigger: want numbers after %s", text, kind)
		}
		n = append(n, i)
	}
	want := 1
	if kind == "pair" {
		want = 3
	}
	if len(n) != want {
		return nil, fmt.Errorf("brokenpool: %q is no trigger: %s has %d numbers", text, kind, want)
	}
	in := func(w *worker) bool { return w.slot == n[0] }
	times, last := 0, time.Time{}
	switch kind {
	case "slot":
		return func(w *worker, _ time.Time) bool { return in(w) }, nil
	case "deaths":
		return func(*worker, time.Time) bool { return p.deaths >= n[0] }, nil
	case "twice":
		return func(w *worker, _ time.Time) bool {
			if in(w) {
				times++
			}
			return times == 2
		}, nil
	case "idle":
		return func(w *worker, _ time.Time) bool { return in(w) && w.task == nil }, nil
	case "busy":
		return func(w *worker, _ time.Time) bool { return in(w) && w.task != nil }, nil
	case "pair":
		return func(w *worker, at time.Time) bool {
			if in(w) {
				last = at
			}
			return w.slot == n[1] && !last.IsZero() && at.Sub(last) <= time.Duration(n[2])*time.Millisecond
		}, nil
	}
	return nil, fmt.Errorf("brokenpool: %q is no trigger", text)
}

// arm switches a bug on at the death that its trigger waits for, before anything is done about that one.
func (p *pool) arm(b bug, text string) error {
	is, err := p.triggerOf(text)
	if err != nil {
		return err
	}
	fired, replace := false, p.replace
	p.replace = func(w *worker) {
		if !fired && is(w, time.Now()) {
			fired = true
			b.bend(p)
			p.replace(w) // with what the bug does to it
			return
		}
		replace(w)
	}
	return nil
}
