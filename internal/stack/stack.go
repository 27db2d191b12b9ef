// Package stack tells where a goroutine is. It does without runtime/debug, which would make every worker start later.
package stack

import (
	"runtime"
	"strconv"
	"strings"
)

// Trace is the calling goroutine's, as debug.Stack gives it.
func Trace() string {
	for buf := make([]byte, 8<<10); ; buf = make([]byte, 2*len(buf)) {
		if n := runtime.Stack(buf, false); n < len(buf) {
			return string(buf[:n])
		}
	}
}

// PanickedAt is file:line of the panic that the calling deferred function recovered from; "" if there is none.
func PanickedAt() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	panicking := false
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicking = true
		case panicking && !strings.HasPrefix(f.Function, "runtime."): // which panics itself, for a nil map or an index
			return f.File + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return ""
		}
	}
}
