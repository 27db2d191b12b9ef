package pool

import "github.com/respawn-go/respawn/internal/wire"

// mutant breaks the pool in one way, so that the tests can show that they would notice.
type mutant uint8

const (
	mutantNone           mutant = iota
	mutantSkipDrain             // what a dead worker had answered is not read
	mutantShiftBlame            // a bystander is blamed
	mutantDropRequeue           // tasks of a dead worker are forgotten
	mutantSettleTwice           // a task settles twice
	mutantNoRestart             // a dead worker is not replaced
	mutantDoubleRun             // a task is taken back from a worker that has started it
	mutantNoGuardian            // nobody looks after the workers of a killed parent
	mutantTornFrame             // half a result counts as a whole one
	mutantBlameAll              // tasks that had not started count as started
	mutantNoBudget              // deaths are not counted
	mutantResend                // a task that was to run at most once is sent again
	mutantCollateral            // one death ends another worker too
	mutantNoTimeout             // a task runs as long as it likes
	mutantEarlyTimeout          // its time begins when its worker does
	mutantNoGrace               // a handler that ignores its cancellation is left alone
	mutantRunCancelled          // a cancelled task is not taken back
	mutantNoHeartbeat           // a worker that stalls is left alone
	mutantStrand                // tasks stay behind a long one
	mutantAnySlot               // a pinned task goes to any slot
	mutantNoBreaker             // workers that do not come up are started for ever
	mutantNoBackoff             // and at once
	mutantNoQuarantine          // a worker that cannot be reaped is waited for
	mutantKillOnShrink          // Resize kills the workers it does not need
	mutantCloseAtOnce           // Close does not wait for what was submitted
	mutantPoisonCounts          // each death of a poison task feeds the breaker
	mutantEachEndExcused        // and the end of a worker that did nothing does not
	mutantUnsealed              // a worker can truncate the memory that the host has mapped
	mutantNoAnswer              // an answer that does not come is waited for
	mutantLeak                  // a dead worker's resources are kept
	mutants
)

func (m mutant) String() string {
	return [...]string{
		"none", "skip drain", "shift blame", "drop requeue", "settle twice", "no restart", "double run", "no guardian",
		"torn frame", "blame all", "no budget", "resend", "collateral", "no timeout", "early timeout", "no grace",
		"run cancelled", "no heartbeat",
		"strand", "any slot", "no breaker", "no backoff", "no quarantine", "kill on shrink", "close at once",
		"poison counts", "each end excused", "unsealed", "no answer", "leak",
	}[m]
}

// shift is the identity, but for the mutant that blames another task than the guilty one.
func (m mutant) shift(w *worker, guilty *call) *call {
	if m != mutantShiftBlame || guilty == nil {
		return guilty
	}
	blamed := guilty
	w.flight.newestFirst(func(_ uint32, c *call) {
		if c != guilty {
			blamed = c
		}
	})
	return blamed
}

// collateral ends another worker than w, if the mutant does.
func (m mutant) collateral(st *state, w *worker) {
	if m != mutantCollateral {
		return
	}
	for other := range st.workers {
		if other != w {
			other.kill(st, ReasonNone)
			return
		}
	}
}

// wholeFrames makes half a frame whole, if the mutant does.
func (m mutant) wholeFrames(w *worker, in *wire.Buffer) {
	if m == mutantTornFrame && in.Start < in.End {
		rest := in.Space(maxRead)
		clear(rest)
		in.Added(len(rest))
		w.receive(in)
	}
}
