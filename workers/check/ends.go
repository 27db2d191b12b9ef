package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// alone boots a worker that the step ends.
func (e *exam) alone(ctx context.Context, step func(*host) error) error {
	h, err := e.boot(ctx)
	if err != nil {
		return err
	}
	if err := step(h); err != nil {
		return err
	}
	return e.done(h)
}

// exits waits for the end that was asked for, with code 0.
func (h *host) exits(ctx context.Context, after string) error {
	if !h.awaitExit(ctx, h.limits.End) {
		h.add(Lingers, 0, ruleEnds, "it lives on %v after %s", h.limits.End, after)
		return errSpoiled
	}
	if exit := h.program.Exit(); !exit.Clean() {
		h.add(ExitCode, 0, ruleEnds, "it %v after %s: want code 0", exit, after)
	}
	return nil
}

func (e *exam) tryStop(ctx context.Context) error {
	for what, lasting := range map[string]time.Duration{
		"order to stop when it is idle": 0, "order to stop while a task runs": long,
	} {
		err := e.alone(ctx, func(h *host) error {
			s := h.sleep(lasting, 0)
			if lasting == 0 {
				if _, err := h.want(ctx, s[1], kindValue); err != nil {
					return err
				}
			} else if !eventually(ctx, h.limits.Task, func() bool { return h.ticketBytes() <= ticketSize }) {
				return h.unstarted()
			}
			h.mayEnd()
			h.order(orderStop, 0)
			return h.endsAfter(ctx, s, "the "+what, lasting > 0)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *host) unstarted() error {
	h.add(NoTicket, 0, ruleTickets, "no ticket was taken within %v", h.limits.Task)
	return errSpoiled
}

// endsAfter sees a worker that was told to end finish the first task and leave the second.
func (h *host) endsAfter(ctx context.Context, s []*sent, what string, busy bool) error {
	if busy {
		if _, err := h.want(ctx, s[0], kindValue); err != nil {
			return err
		}
	}
	if err := h.exits(ctx, what); err != nil {
		return err
	}
	<-h.gone
	if busy && (len(s[1].answer) > 0 || h.ticketBytes() == 0) {
		h.add(Deaf, 0, ruleEnds, "it took another task after %s: finish the one that runs, and take no other ticket",
			what)
	}
	return h.leavesNobody(ctx, what)
}

// leavesNobody notes the processes that are left when the worker is gone.
func (h *host) leavesNobody(ctx context.Context, what string) error {
	if left := h.program.Left(ctx, h.limits.End); len(left) > 0 {
		pids := slices.Sorted(maps.Keys(left))
		h.add(ChildrenLeft, 0, ruleEnds, "after %s processes %v (%s) are left", what, pids, foreign.Name(pids[0]))
	}
	return nil
}

// tryTerm sends SIGTERM from outside to a worker that is busy.
func (e *exam) tryTerm(ctx context.Context) error {
	return e.alone(ctx, func(h *host) error {
		s := h.sleep(2*long, 0)
		if !eventually(ctx, h.limits.Task, func() bool { return h.ticketBytes() <= ticketSize }) {
			return h.unstarted()
		}
		h.mayEnd()
		if err := h.program.Signal(unix.SIGTERM); err != nil {
			return err
		}
		select {
		case <-h.said:
		case <-s[0].answer:
			h.add(Deaf, 0, ruleEnds,
				"the running task was answered and goodbye was not sent: want it at once, while the handler runs")
			return errSpoiled
		case <-h.gone:
			h.add(ExitCode, 0, ruleEnds,
				"it %v of SIGTERM, and its task was not answered: finish it, then exit with code 0", h.exit(ctx))
			return errSpoiled
		case <-time.After(2*long + h.limits.End):
			h.add(Deaf, 0, ruleEnds, "goodbye was not sent within %v after SIGTERM", 2*long+h.limits.End)
			return errSpoiled
		case <-ctx.Done():
			return ctx.Err()
		}
		return h.endsAfter(ctx, s, "SIGTERM", true)
	})
}

// exit waits for how the worker ended.
func (h *host) exit(ctx context.Context) foreign.Exit {
	h.awaitExit(ctx, h.limits.End)
	return h.program.Exit()
}

// tryTermIdle sends SIGINT, which is nothing, and SIGTERM to a worker that waits.
func (e *exam) tryTermIdle(ctx context.Context) error {
	return e.alone(ctx, func(h *host) error {
		if err := h.probe(ctx, 1); err != nil {
			return err
		}
		if err := h.program.Signal(unix.SIGINT); err != nil {
			return err
		}
		if err := h.probe(ctx, 2); err != nil {
			h.add(Deaf, 0, ruleEnds, "that was after SIGINT, which is to be ignored")
			return err
		}
		h.mayEnd()
		if err := h.program.Signal(unix.SIGTERM); err != nil {
			return err
		}
		if err := h.exits(ctx, "SIGTERM with nothing to do"); err != nil {
			return err
		}
		<-h.gone
		select {
		case <-h.said:
		default:
			h.add(Deaf, 0, ruleEnds, "it ended after SIGTERM without goodbye")
		}
		return nil
	})
}

// tryEndOf closes one of the sockets while a handler runs that started a process.
func (e *exam) tryEndOf(ctx context.Context, which string) error {
	return e.alone(ctx, func(h *host) error {
		if _, ok := h.index["respawn.child"]; ok {
			if _, err := h.want(ctx, h.send("respawn.child", 600)[0], kindValue); err != nil {
				return err
			}
		}
		h.sleep(time.Hour)
		if !h.taken(ctx) {
			return errSpoiled
		}
		h.mayEnd()
		if which == "task" {
			h.tasks.Close()
		} else {
			h.control.Close()
		}
		what := fmt.Sprintf("the end of its %s socket while a handler ran", which)
		if !h.awaitExit(ctx, h.limits.End) {
			h.add(Lingers, 0, ruleEnds, "it lives on %v after %s: kill the own process group", h.limits.End, what)
			return errSpoiled
		}
		return h.leavesNobody(ctx, what)
	})
}

// tryOtherProtocol greets with a number that nobody knows yet.
func (e *exam) tryOtherProtocol(ctx context.Context) error {
	h, err := e.start(environment())
	if err != nil {
		return err
	}
	h.greet(protocol + 1000)
	f, err := h.opened(ctx)
	switch {
	case err != nil:
		return err
	case f.kind == kindReady:
		h.add(OtherProtocol, f.n, ruleJSON, "it says ready to a pool that speaks protocol %d: want boot failed",
			protocol+1000)
	default:
		h.failure(f)
	}
	return e.done(h)
}

// tryNoPool starts the worker as a person would who does not know what it is.
func (e *exam) tryNoPool(ctx context.Context) error {
	p, err := foreign.Start(foreign.Command{Argv: e.command.Argv, Dir: e.command.Dir, Env: e.command.Env})
	if err != nil {
		return err
	}
	late := time.NewTimer(e.limits.Boot)
	defer late.Stop()
	select {
	case <-p.Exited():
		if exit := p.Exit(); exit.Signal == 0 && exit.Code == 0 {
			e.add(ExitCode, 0, ruleStart,
				"without RESPAWN_PROTOCOL it exits with code 0: want another, and a word on standard error")
		}
	case <-late.C:
		e.add(Lingers, 0, ruleStart, "without RESPAWN_PROTOCOL it lives on: say that no pool started it, and exit")
	case <-ctx.Done():
	}
	return p.End()
}
