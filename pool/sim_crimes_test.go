package pool

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"

	. "github.com/onsi/gomega"
)

// Workers that write to their scoreboard what is not so, or to their socket.

// A handler that sets its task's claim word back, so that it looks as if it had never started, and ends its worker.
func TestATaskWhoseWorkerTakesItsClaimBackIsNotSentForEver(t *testing.T) {
	unclaim := func(w *simProcess, e *simExec) { w.board.Claim(e.seq).Store(uint64(e.seq)<<8 | wire.ClaimSent) }
	answer := func(w *simProcess, e *simExec) {
		w.transmit(wire.AppendFrame(nil, &wire.Frame{Kind: wire.FrameValue, ID: e.id, Seq: e.seq, Payload: []byte{0x40}}), 0)
	}
	for name, is := range map[string]struct {
		crime  func(w *simProcess, e *simExec)
		how    process.Status
		starts int
	}{
		"while it runs, and crashes":   {unclaim, process.Status{Code: 9}, 3},
		"while it runs, and is killed": {unclaim, process.Status{Code: -1, Signal: syscall.SIGKILL}, 16},
		"and then sends a result":      {func(w *simProcess, e *simExec) { unclaim(w, e); answer(w, e) }, process.Status{Code: 9}, 3},
		"and says that it runs nothing": {func(w *simProcess, e *simExec) {
			unclaim(w, e)
			w.board.SetPhase(wire.PhaseIdle, 0)
		}, process.Status{Code: -1, Signal: syscall.SIGKILL}, maxAttempts},
		"and says that it runs nothing, and sends a result": {func(w *simProcess, e *simExec) {
			unclaim(w, e)
			w.board.SetPhase(wire.PhaseIdle, 0)
			answer(w, e)
		}, process.Status{Code: 9}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			staged(t, Config{Size: 1}, func(g *WithT, s *simulation, p *Pool) {
				g.Expect(s.answers()).To(Succeed())
				task := &simTask{work: 10 * time.Millisecond, poison: &is.how, crime: is.crime}
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				f := simWork.Submit(ctx, p, s.argument(task))
				_, err := f.Result(ctx)
				g.Expect(err).To(BeAssignableToTypeOf(&WorkerLostError{}))
				g.Expect(len(task.execs)).To(Equal(is.starts))
				g.Expect(s.answers()).To(Succeed())
			})
		})
	}
}
