package pool

import "runtime"

// stack is this goroutine's, as debug.Stack gives it.
func stack() []byte {
	for buf := make([]byte, 8<<10); ; buf = make([]byte, 2*len(buf)) {
		if n := runtime.Stack(buf, false); n < len(buf) {
			return buf[:n]
		}
	}
}
