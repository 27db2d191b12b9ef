package pool

import (
	"syscall"

	"github.com/respawn-go/respawn/internal/process"
)

// Mutant breaks a pool on purpose: see mutant.go.
type Mutant = mutant

// The mutants, for tests outside the package.
const (
	MutantSkipDrain   = mutantSkipDrain
	MutantShiftBlame  = mutantShiftBlame
	MutantDropRequeue = mutantDropRequeue
	MutantSettleTwice = mutantSettleTwice
	MutantNoRestart   = mutantNoRestart
	MutantDoubleRun   = mutantDoubleRun
	MutantNoGuardian  = mutantNoGuardian
	MutantUnsealed    = mutantUnsealed
)

// Broken returns the config of a pool broken in that way.
func (c Config) Broken(m Mutant) Config {
	c.mutant = m
	return c
}

// Refusing returns the config of a pool whose processes are started for real, unless refuse has an error to give.
func (c Config) Refusing(refuse func() syscall.Errno) Config {
	c.start = func(spec process.Spec) (process.Process, error) {
		if errno := refuse(); errno != 0 {
			return nil, errno
		}
		return process.Start(spec)
	}
	return c
}

// WithoutCgroup returns the config of a pool for whose workers no cgroup can be made.
func (c Config) WithoutCgroup(cause error) Config {
	c.start = func(spec process.Spec) (process.Process, error) {
		p, err := process.Start(spec)
		return noCgroup{p, cause}, err
	}
	return c
}

type noCgroup struct {
	process.Process
	cause error
}

func (p noCgroup) Confine(limit int64, _ bool) (cause, err error) {
	_, err = p.Process.Confine(limit, false)
	return p.cause, err
}
