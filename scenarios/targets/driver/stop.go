package driver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// Stop asks the driver to stop its pool and waits until it and all it started have ended; what has not is killed. The
// error is the first thing that it did wrong meanwhile; Violations has the others. Nothing of it is left afterwards.
// Tasks without an outcome fail with ErrClosed.
func (d *Driver) Stop(ctx context.Context) error {
	d.mu.Lock()
	first := d.end == nil && !d.closing
	d.closing = true
	d.mu.Unlock()
	if !first {
		return d.Close()
	}
	before := len(d.Violations())
	_, _ = d.program.Family() // to know them again
	_, err := d.ask(ctx, request{Op: "stop"}, "stopped", d.limits.Stop)
	if err == ErrClosed { //nolint:errorlint // it is returned as it is
		d.violate(newViolation(NoAnswer, 0, "stop", "it ended without a word: want "+wanted["stopped"]))
	}
	d.closeInput()
	d.awaitEnd(ctx)
	closeErr := d.Close()
	if found := d.Violations(); len(found) > before {
		return found[before]
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return closeErr
}

// hangUp ends the driver's standard input without a word, as a harness that was killed does, and waits as Stop does.
func (d *Driver) hangUp(ctx context.Context) {
	d.mu.Lock()
	d.closing = true
	d.mu.Unlock()
	_, _ = d.program.Family() // to know them again
	d.closeInput()
	d.awaitEnd(ctx)
}

// awaitEnd waits for the driver to end, and then for what it started.
func (d *Driver) awaitEnd(ctx context.Context) {
	select {
	case <-d.program.Exited():
	case <-ctx.Done():
		return
	case <-time.After(d.limits.Stop):
		family, _ := d.program.Family()
		d.leaves(1 + len(family))
		d.wrong(Lingers, 0, "stop", "it lives on after %v: end when stopped, and when standard input ends",
			d.limits.Stop)
		return
	}
	if exit := d.program.Exit(); !exit.Clean() {
		d.violate(newViolation(Died, 0, "stop", exit.String()+": want code 0"))
	}
	d.countChildren(ctx)
}

// countChildren notes what an ended driver left running.
func (d *Driver) countChildren(ctx context.Context) {
	left := d.program.Left(ctx, d.limits.Stop)
	if len(left) == 0 {
		return
	}
	var names []string
	for _, pid := range slices.Sorted(maps.Keys(left)) {
		names = append(names, fmt.Sprintf("%d (%s)", pid, foreign.Name(pid)))
	}
	d.leaves(len(left))
	d.violate(newViolation(ChildrenLeft, 0, "stop",
		strings.Join(names, ", ")+" still run: end and reap every worker before the driver ends"))
}

// leaves notes how many processes still ran when they should have ended.
func (d *Driver) leaves(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = n
}

// Left is how many processes still ran when it was time for the driver to have ended, itself included, which Stop then
// killed.
func (d *Driver) Left() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left
}

// Close ends the driver and everything it started, at once, and waits until they are gone. Tasks without an outcome
// fail with ErrClosed. Closing twice is fine. The error names processes that could not be ended.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.closing = true
	d.mu.Unlock()
	err := d.endProgram()
	d.reading.Do(func() { go d.read() })
	<-d.gone
	d.closeInput()
	return err
}

func (d *Driver) closeInput() {
	d.writing.Lock()
	defer d.writing.Unlock()
	_ = d.input.Close()
}
