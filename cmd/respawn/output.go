package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// output is what a command prints to. It remembers the first write that failed, so that no command has to look at each:
// what was asked for and got lost is the harness's own error. That whoever read has gone is none: they want no more.
type output struct {
	file *os.File
	err  error
}

// Fd lets those who print ask whether it is a terminal.
func (o *output) Fd() uintptr { return o.file.Fd() }

func (o *output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if o.unread(err) {
		return len(p), nil
	}
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// unread tells whether a write failed because the pipe's reader has gone, or the terminal was closed.
func (o *output) unread(err error) bool {
	if errors.Is(err, syscall.EPIPE) {
		return true
	}
	info, statErr := o.file.Stat()
	return errors.Is(err, syscall.EIO) && statErr == nil && info.Mode()&os.ModeCharDevice != 0
}

// lost is how a command ends whose output got lost; another error that has words of its own comes first.
func (o *output) lost(err error) error {
	var e *exitError
	said := err != nil && !errors.Is(err, o.err) && !(errors.As(err, &e) && e.err == nil)
	if o.err == nil || said {
		return err
	}
	return &exitError{exitHarness, fmt.Errorf("print the result: %w", o.err)}
}

// screen is where progress is shown. Who writes to it never waits: what cannot be shown, because nobody reads or the
// terminal was stopped, is left out, for a run that waited for its spectators would measure them.
type screen struct {
	parts chan []byte
	shown chan struct{} // closed once everything was
}

func newScreen(w io.Writer) *screen {
	s := &screen{parts: make(chan []byte, 1024), shown: make(chan struct{})}
	go func() {
		defer close(s.shown)
		for p := range s.parts {
			_, _ = w.Write(p)
		}
	}()
	return s
}

func (s *screen) Write(p []byte) (int, error) {
	select {
	case s.parts <- bytes.Clone(p):
	default:
	}
	return len(p), nil
}

// Close waits until everything is shown, but not for long.
func (s *screen) Close() error {
	close(s.parts)
	wait(s.shown)
	return nil
}

// wait is for what shows the last of a run to be done, but not for long: nobody may read it.
func wait(shown <-chan struct{}) {
	select {
	case <-shown:
	case <-time.After(time.Second):
	}
}
