package pool

// mutant breaks the pool in one way, so that the tests can show that they would notice.
type mutant uint8

const (
	mutantNone        mutant = iota
	mutantSkipDrain          // what a dead worker had answered is not read
	mutantShiftBlame         // a bystander is blamed
	mutantDropRequeue        // tasks of a dead worker are forgotten
	mutantSettleTwice        // a task settles twice
	mutantNoRestart          // a dead worker is not replaced
	mutantDoubleRun          // a finished task of a dead worker is run again
	mutantNoGuardian         // nobody looks after the workers of a killed parent
)

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
