package main

import (
	"errors"
	"fmt"
	"os"
)

// output is what a command prints to. It remembers the first write that failed, so that no command has to look at each: what
// was asked for and got lost is the harness's own error.
type output struct {
	file *os.File
	err  error
}

// Fd lets those who print ask whether it is a terminal.
func (o *output) Fd() uintptr { return o.file.Fd() }

func (o *output) Write(p []byte) (int, error) {
	n, err := o.file.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
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
