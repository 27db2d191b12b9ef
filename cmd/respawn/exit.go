package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/respawn-go/respawn/reports"
)

// The exit codes of every subcommand that are a verdict's too.
var (
	exitPass         = reports.Pass.ExitCode()
	exitFail         = reports.Fail.ExitCode()
	exitInconclusive = reports.Inconclusive.ExitCode()
	exitAborted      = reports.Aborted.ExitCode()
	exitHarness      = reports.Error.ExitCode()
)

// The others.
const (
	exitUsage       = 2
	exitInterrupted = 130
)

// exitError ends the program with a code. Without an error of its own it says nothing more than has been printed.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// fail ends a command with exit code 1: what it looked at is not as it should be.
func fail(format string, args ...any) error {
	return &exitError{exitFail, fmt.Errorf(format, args...)}
}

// usage ends a command with exit code 2: the command line or a file is wrong.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// exitCode tells the error in one line and returns the code to exit with. An error without a code is cobra's, of the
// command line: what a command returns without one has been made the harness's own by harnessed.
func exitCode(ctx context.Context, err error, stderr io.Writer) int {
	var e *exitError
	var stop stopped
	switch {
	case err == nil:
		return exitPass
	case errors.As(context.Cause(ctx), &stop):
		e = &exitError{exitAborted, stop}
		if stop.by == os.Interrupt {
			e.code = exitInterrupted
		}
	case !errors.As(err, &e):
		e = &exitError{exitUsage, fmt.Errorf("%w: run 'respawn --help'", err)} // cobra's own: the command line
	}
	if e.err != nil {
		fmt.Fprintln(stderr, "respawn:", printable(strings.Join(strings.Fields(e.err.Error()), " "))) // one line
	}
	return e.code
}
