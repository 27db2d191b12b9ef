package targets

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
)

// The built-in tasks are witnesses of their own: each execution appends a line when it begins and one when it ends to a
// file that was opened with O_APPEND, so that what ran how often does not depend on what the pool says. A line is
//
//	+ TASK ATTEMPT PID TIME    or    - TASK ATTEMPT PID TIME
//
// with the time in ns of CLOCK_MONOTONIC.

var witnesses struct {
	sync.Mutex
	path string
	file *os.File
}

// testify records the beginning of an execution and returns what records its end. Without a path it does nothing.
func testify(path string, task uint64, attempt int) (end func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	witnesses.Lock()
	if witnesses.path != path {
		witnesses.file.Close() // nil is fine
		witnesses.path = path
		witnesses.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	}
	f := witnesses.file
	witnesses.Unlock()
	if err != nil {
		return nil, err
	}
	write := func(sign byte) error {
		_, err := fmt.Fprintf(f, "%c %d %d %d %d\n", sign, task, attempt, os.Getpid(), chaos.Monotonic(time.Now()))
		return err
	}
	return func() { _ = write('-') }, write('+')
}

// readWitnesses reads the file and calls add for each execution, in the order of their ends, those without an end last.
func readWitnesses(path string, add func(history.Run)) error {
	f, err := os.Open(path)
	if err != nil {
		if os.IsNotExist(err) {
			return nil // nothing was ever run
		}
		return err
	}
	defer f.Close()
	type key struct {
		task         uint64
		attempt, pid int
	}
	open := map[key]time.Duration{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var sign byte
		var k key
		var at time.Duration
		if _, err := fmt.Sscanf(lines.Text(), "%c %d %d %d %d", &sign, &k.task, &k.attempt, &k.pid, &at); err != nil {
			continue // torn by the death of its writer
		}
		if sign == '+' {
			open[k] = at
			continue
		}
		add(history.Run{Task: k.task, Attempt: k.attempt, PID: k.pid, Start: open[k], End: at})
		delete(open, k)
	}
	for k, at := range open {
		add(history.Run{Task: k.task, Attempt: k.attempt, PID: k.pid, Start: at})
	}
	return lines.Err()
}
