package pool

import (
	"flag"
	"syscall"
	"time"

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

// KeepingFor returns the config of a pool whose arenas keep what they do not need for that long.
func (c Config) KeepingFor(d time.Duration) Config {
	c.keptFor = d
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

var throughRemote = flag.Bool("remote", false,
	"submit the tests' tasks through NewRemote over their pool: the conformance suite of the seam")

// via is what the tests submit to: p itself, or with -remote a Remote that has p as its Transport.
func via(p *Pool) Runner {
	if *throughRemote {
		return NewRemote(p)
	}
	return p
}

// ThroughRemote tells whether tasks are numbered by a Remote, so that the pool's exits and events have other numbers.
func ThroughRemote() bool { return *throughRemote || carrier != nil }

// Via is via for tests outside the package.
func Via(p *Pool) Runner {
	if carrier != nil {
		return carrier(p)
	}
	return via(p)
}

// carrier, if set, takes tasks to a pool by a way that only tests outside the package know.
var carrier func(p *Pool) Runner

// Carry has the suite's tasks taken to their pools by c.
func Carry(c func(p *Pool) Runner) { carrier = c }

// OwesAndLives tells whether a worker owes an answer for a task that it has started, and has shown that it lives since
// that was seen.
func (p *Pool) OwesAndLives() bool {
	st := p.lock()
	defer st.unlock()
	for w := range st.workers {
		if oldest, c := w.flight.oldest(); c != nil && !w.board.Unstarted(oldest) && w.owesAsked > 0 &&
			!w.owesSince.IsZero() && w.answered(w.owesPing) {
			return true
		}
	}
	return false
}

// Pings counts how often the workers that are there were pinged.
func (p *Pool) Pings() (n int) {
	st := p.lock()
	defer st.unlock()
	for w := range st.workers {
		n += int(w.pings)
	}
	return n
}
