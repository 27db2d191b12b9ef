package check

import (
	"bytes"
	"context"
	"slices"
)

// tryShared gives and takes large payloads by shared memory.
func (e *exam) tryShared(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	if !h.shares {
		h.note(`it shares no memory (it can: arena): arguments and results have at most about 4 MiB`)
		return nil
	}
	one, two := bytes.Repeat([]byte("one "), large), bytes.Repeat([]byte("two!"), large)
	for _, want := range [][]byte{one, two} {
		f, err := h.want(ctx, h.send("respawn.bytes", want)[0], kindValue)
		if err != nil {
			return err
		}
		if !bytes.Equal(f.payload, want) {
			h.add(WrongValue, f.n, ruleLarge, "%d bytes came back as others", len(want))
		}
	}
	if err := h.holdBack(ctx, one, two); err != nil {
		return err
	}
	return e.tryKeep(ctx)
}

// holdBack does not collect a result for a while: the next one must wait for that.
func (h *host) holdBack(ctx context.Context, one, two []byte) error {
	h.hold(true)
	if _, err := h.want(ctx, h.send("respawn.bytes", one)[0], kindValue); err != nil {
		return err
	}
	s := h.send("respawn.bytes", two)[0]
	eventually(ctx, long/2, func() bool { return len(s.answer) > 0 })
	h.hold(false)
	f, err := h.want(ctx, s, kindValue)
	if err == nil && !bytes.Equal(f.payload, two) {
		h.add(WrongValue, f.n, ruleLarge, "%d bytes came back as others", len(two))
	}
	return err
}

// hold begins to hold back the order collected, or gives it after all.
func (h *host) hold(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holding = on; !on && h.held {
		h.held = false
		go h.order(orderCollected, h.put)
	}
}

// tryKeep has a handler keep a view of its argument.
func (e *exam) tryKeep(ctx context.Context) error {
	return e.alone(ctx, func(h *host) error {
		if h.lacks("respawn.keep") {
			return nil
		}
		h.mayEnd()
		s := h.send("respawn.keep", bytes.Repeat([]byte("mine"), large))[0]
		f, err := h.want(ctx, s, kindValue)
		if err != nil {
			return err
		}
		if !slices.Equal(f.payload, []byte("mine")) {
			h.add(WrongValue, f.n, ruleProved, "respawn.keep answered %.20q: want the first 4 bytes", f.payload)
		}
		select {
		case <-h.said:
			return h.exits(ctx, "goodbye")
		default:
			h.add(KeepsView, f.n, ruleLarge,
				"a handler kept a view of its argument, and the worker answered without goodbye before that: the next "+
					"argument will show in the view")
			return errSpoiled
		}
	})
}
