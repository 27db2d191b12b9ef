package check

import (
	"context"
	"time"
)

// long is a task that lasts long enough to look at what goes on meanwhile, also on a busy host.
const long = 500 * time.Millisecond

// tryTickets blocks a worker with one task and puts five behind it: their tickets must stay where they are.
func (e *exam) tryTickets(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	tasks := h.sleep(long, 0, 0, 0, 0, 0)
	if !eventually(ctx, h.limits.Task, func() bool { return h.ticketBytes() < 6*ticketSize }) {
		h.add(NoTicket, 0, ruleTickets, "no ticket was taken within %v", h.limits.Task)
		return errSpoiled
	}
	var left int
	seen := eventually(ctx, long/2, func() bool { left = h.ticketBytes(); return left != 5*ticketSize })
	switch {
	case !seen || len(tasks[0].answer) > 0: // or the host was slow
	case left%ticketSize != 0:
		h.add(TornTicket, 0, ruleTickets,
			"%d bytes are left in the pipe while one task runs and five wait: read exactly 4, with one read", left)
	case left < 5*ticketSize:
		h.add(Hoards, 0, ruleTickets,
			"%d bytes are left in the pipe while one task runs and five wait: want %d. Take a ticket when its "+
				"task is about to run, with a read of exactly 4 bytes and no buffer", left, 5*ticketSize)
	}
	for _, s := range tasks {
		if _, err := h.want(ctx, s, kindValue); err != nil {
			return err
		}
	}
	if left := h.ticketBytes(); left != 0 {
		h.add(NoTicket, 0, ruleTickets, "%d bytes are left in the pipe after all tasks were answered", left)
	}
	return nil
}

func (h *host) ticketBytes() int {
	n, _ := h.left()
	return n
}

// tryTakenBack takes tasks back in each way that a pool does.
func (e *exam) tryTakenBack(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	// A frame without a ticket, and nothing after it.
	h.send("respawn.probe", withheld{1}, withheld{2})
	eventually(ctx, h.limits.Task, func() bool { return h.unread() == 0 })
	eventually(ctx, long/10, h.ranTakenBack) // it has no reason to answer
	if err := h.probe(ctx, 3); err != nil {
		return err
	}
	// The ticket that is there belongs to the last of them.
	list := h.send("respawn.probe", withheld{1}, withheld{2}, 4)
	if err := h.squared(ctx, list[2], 4); err != nil {
		return err
	}
	for range 3 {
		tasks := h.sleep(long/2, 0, 0, 0)
		if !eventually(ctx, h.limits.Task, func() bool { return h.ticketBytes() < 4*ticketSize }) {
			h.add(NoTicket, 0, ruleTickets, "no ticket was taken within %v", h.limits.Task)
			return errSpoiled
		}
		back, err := h.takeBack()
		if err != nil {
			return err
		}
		again := h.send("respawn.probe", 5, 6)
		for _, s := range tasks[:len(tasks)-len(back)] {
			if _, err := h.want(ctx, s, kindValue); err != nil {
				return err
			}
		}
		for i, s := range again {
			if err := h.squared(ctx, s, 5+i); err != nil {
				return err
			}
		}
	}
	return h.probe(ctx, 7)
}

// brief is a task that no worker need answer at once. One that a busy host made longer it may, before a long one too.
const brief = 100 * time.Microsecond

// tryInTime looks whether what is finished goes out before a long task: again while the finished one was not brief.
func (e *exam) tryInTime(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	if _, err := h.want(ctx, h.sleep(long / 10)[0], kindValue); err != nil { // it knows now that those are long
		return err
	}
	asks := make([]ask, 9, 10)
	for i := range asks {
		asks[i] = ask{"respawn.probe", i}
	}
	asks = append(asks, sleeping(0, 2*long))
	for range 20 {
		came := make([]*frame, len(asks))
		for i, s := range h.sendAll(asks...) { // at once: a worker that has to wait for the long one may write
			if came[i], err = h.want(ctx, s, kindValue); err != nil {
				return err
			}
		}
		quick, slow := came[len(came)-2], came[len(came)-1]
		if early := slow.came.Sub(quick.came); early < long {
			h.add(HoldsBack, quick.n, ruleFrames,
				"the answer of a task that took no time came only %v before that of the next, which took %v: "+
					"write answers before a task that may take long", early.Round(time.Millisecond), 2*long)
			return nil
		}
		if time.Duration(quick.run) < brief {
			return nil
		}
	}
	return nil
}
