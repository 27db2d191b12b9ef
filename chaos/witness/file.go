// Package witness is the tasks' own record of what ran: a file that every process of a target appends to, one line when
// an execution starts and one when it ends, so that executions are counted without asking the pool.
//
//	S task attempt pid start
//	E task attempt pid start end
//
// Times are CLOCK_MONOTONIC in nanoseconds, which all processes of a host share. Anything that can append a line with
// one write can be a witness. It is a leaf beside chaos/history.
package witness

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"github.com/respawn-go/respawn/internal/monotonic"
)

// Now is CLOCK_MONOTONIC in nanoseconds: the same clock in every process of the host.
func Now() int64 { return monotonic.Now() }

// File is the record, open for appending. It is safe for concurrent use by any number of goroutines and processes, for
// each line is one write to a file opened with O_APPEND.
type File struct{ f *os.File }

// Open opens the record and makes it if it is not there yet.
func Open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	return &File{f}, nil
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// Start records that this process starts to execute the task, and returns what records the end. attempt is 0 where it
// is not known. A task that cannot be witnessed must not run: its error is to be returned by the task.
func (f *File) Start(task uint64, attempt int) (end func() error, err error) {
	b := make([]byte, 0, 128)
	b = append(b, '\n', 'S', ' ')
	b = strconv.AppendUint(b, task, 10)
	b = strconv.AppendInt(append(b, ' '), int64(attempt), 10)
	b = strconv.AppendInt(append(b, ' '), int64(os.Getpid()), 10)
	b = strconv.AppendInt(append(b, ' '), Now(), 10)
	if err := f.write(b); err != nil {
		return nil, err
	}
	return func() error {
		b[1] = 'E'
		return f.write(strconv.AppendInt(append(b, ' '), Now(), 10))
	}, nil
}

// Try tells whether the record at the path, which must exist, can be written to still. It appends an empty line so long
// that the file system has to find room for it; who reads the record passes over it.
func Try(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	defer f.Close()
	return (&File{f}).write(bytes.Repeat([]byte{'\n'}, 4096))
}

// write appends one line. Each has a newline at both ends, so that what a torn one leaves spoils nothing but itself.
func (f *File) write(line []byte) error {
	if _, err := f.f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	return nil
}
