package faults

import (
	"slices"
	"strings"
)

// allocatorMarkers are what an allocator says when it cannot go on: the Go runtime's, glibc's, CPython's.
var allocatorMarkers = []string{"out of memory", "cannot allocate memory", "MemoryError", "bad_alloc"}

// threadMarkers are what the Go runtime says when the stack of a new thread got no memory, with cgo and without
// (runtime/cgo/gcc_libinit.c, runtime/os_linux.go).
var threadMarkers = []string{"runtime/cgo: pthread_create failed", "runtime: failed to create new OS thread"}

// systemStack begins the trace of a Go program that crashed on a system stack: in its runtime or in C, never in Go code
// that a task runs. The runtime does not look at all that it allocates for itself: its collector, refused a few pages,
// goes on to a nil pointer (mgcmark_greenteagc.go).
const systemStack = "goroutine 0 gp="

// outOfMemory finds in what a victim wrote that it ran out of memory: who says so, "allocator" or "runtime", and in
// which words. Both are "" when nothing does.
func outOfMemory(stderr string) (who, said string) {
	if line := lineWith(stderr, allocatorMarkers...); line != "" {
		return "allocator", line
	}
	if line := lineWith(stderr, threadMarkers...); line != "" {
		return "runtime", line
	}
	before, trace, crashed := strings.Cut(stderr, "\n"+systemStack)
	if !crashed {
		return "", ""
	}
	_, top, _ := strings.Cut(trace, "\n")
	return "runtime", firstLine(before[max(0, strings.LastIndex(before, "SIG")):]) + " on its system stack: " +
		firstLine(top)
}

// lineWith is the first line that has one of the markers, without the space around it.
func lineWith(text string, markers ...string) string {
	for line := range strings.Lines(text) {
		if slices.ContainsFunc(markers, func(m string) bool { return strings.Contains(line, m) }) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// firstLine is the first line that is not empty.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
