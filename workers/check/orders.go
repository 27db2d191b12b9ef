package check

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/procfs"
)

// tryOrders gives orders that change nothing.
func (e *exam) tryOrders(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	for _, kind := range []byte{orderPing, orderFlush, 200} {
		h.order(kind, 7)
		if err := h.probe(ctx, int(kind)); err != nil {
			return err
		}
	}
	h.order(orderCancel, h.seq+1000) // what is not there
	s := h.sleep(long / 5)[0]
	for _, kind := range []byte{orderPing, orderFlush, 200} {
		h.order(kind, 7)
	}
	_, err = h.want(ctx, s, kindValue)
	return err
}

func (e *exam) tryCancel(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(h.ready.Can, "cancel") {
		h.note(`it cannot "cancel": a handler whose caller gave up is killed with its worker after Config.CancelGrace`)
		return nil
	}
	const forever = time.Hour
	s := h.sleep(forever)[0]
	if !h.taken(ctx) {
		return errSpoiled
	}
	h.order(orderCancel, s.seq)
	if _, err := h.result(ctx, s); err != nil {
		h.add(Deaf, 0, ruleOrders, "a task of respawn.sleep goes on %v after the order to cancel it, which is to be "+
			"obeyed while a handler runs",
			h.limits.Task)
		return errSpoiled
	}
	return h.probe(ctx, 8)
}

// taken waits until no ticket is left: the last task runs.
func (h *host) taken(ctx context.Context) bool {
	if eventually(ctx, h.limits.Task, func() bool { return h.ticketBytes() == 0 }) {
		return true
	}
	h.add(NoTicket, 0, ruleTickets, "a ticket is left lying for %v by a worker with nothing else to do", h.limits.Task)
	return false
}

func (e *exam) tryPrinting(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil || h.lacks("respawn.print") {
		return err
	}
	text := fmt.Sprintf("printed by a handler %d", time.Now().UnixNano())
	if _, err := h.want(ctx, h.send("respawn.print", text)[0], kindValue); err != nil {
		return err
	}
	if !eventually(ctx, h.limits.Task, func() bool { return strings.Contains(h.stderr(), text) }) {
		h.add(Silenced, 0, ruleStart,
			"what a handler printed is not on its standard output or error: descriptors 1 and 2 are the worker's own")
	}
	return h.probe(ctx, 9)
}

// tryChild looks at what a process that a handler starts has of the worker.
func (e *exam) tryChild(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil || h.lacks("respawn.child") {
		return err
	}
	f, err := h.want(ctx, h.send("respawn.child", 600)[0], kindValue)
	if err != nil {
		return err
	}
	var child int
	if _, err := fmt.Sscan(string(f.payload), &child); err != nil || !h.program.Owns(child) {
		h.add(WrongValue, f.n, ruleProved, "respawn.child answered %.40q: want the number of a process that it started",
			f.payload)
		return errSpoiled
	}
	defer func() { _ = h.kill(child) }()
	eventually(ctx, h.limits.Task, func() bool { return !same(child, h.program.PID()) }) // it is what it is to be
	for fd := 3; fd <= 7; fd++ {
		if open, _ := descriptor(child, fd); open && linked(child, fd) == linked(h.program.PID(), fd) {
			h.add(Leaks, 0, ruleStart,
				"a process that a handler started has descriptor %d: mark it close-on-exec before anything is started",
				fd)
		}
	}
	if procfs.Marked(child, environment()) {
		h.add(Leaks, 0, ruleStart, "a process that a handler started has %s in its environment: remove it first thing",
			environment())
	}
	return h.probe(ctx, 10)
}

// kill ends a process that the worker started.
func (h *host) kill(pid int) error {
	if !h.program.Owns(pid) {
		return os.ErrProcessDone
	}
	return unix.Kill(pid, unix.SIGKILL)
}

func linked(pid, fd int) string {
	to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	return to
}

// same tells whether two processes run the same program.
func same(a, b int) bool {
	x, errX := os.Readlink(fmt.Sprintf("/proc/%d/exe", a))
	y, errY := os.Readlink(fmt.Sprintf("/proc/%d/exe", b))
	return errX == nil && errY == nil && x == y
}

func (e *exam) tryFork(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil || h.lacks("respawn.fork") {
		return err
	}
	for _, returns := range []bool{false, true} {
		s := h.send("respawn.fork", returns)[0]
		f, err := h.result(ctx, s)
		if err != nil {
			return err
		}
		if string(f.payload) == "-1" {
			h.add(TwoWorkers, f.n, ruleSeeTo,
				"a child that a handler forked came back and answered: compare getpid() before each ticket and "+
					"each write, and end a child that returned")
			return errSpoiled
		}
	}
	for i := range 20 {
		if err := h.probe(ctx, i); err != nil {
			return err
		}
	}
	return nil
}
