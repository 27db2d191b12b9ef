package pool

import (
	"sync/atomic"
	"unsafe"
)

// page is a worker's scoreboard: memory shared with it that outlives it, so that after SIGKILL the parent still knows
// which task was running. Its ancestor is the scoreboard of Apache's prefork server. The worker writes it and is not
// trusted: a wrong word can only hurt that worker's own tasks. Words sit on cache lines of their own.
//
//	  0  phase in the low byte, seq of the running task above it: one word, so that it is never torn
//	 64  pong: the argument of the last ping answered
//	128  tasks done
//	192  crash point, written by the parent: 0 is off
//	256  large results that the parent has copied out of the arena
//	320  claim words, one per seq modulo claimWords
type page struct{ mem []byte }

const (
	offPhase    = 0
	offPong     = 64
	offDone     = 128
	offCrash    = 192
	offConsumed = 256
	offClaims   = 320

	claimWords = 1024 // so many tasks may be at a worker; a power of two
	pageSize   = offClaims + 8*claimWords
)

// A claim word holds the seq of a sent task above its state. Parent and worker change it by compare-and-swap, so that a
// sent task is either started by the worker or taken back by the parent, never both.
const (
	claimSent = 1 + iota
	claimStarted
	claimRevoked
)

func (p page) word(off int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&p.mem[off])) }

func (p page) setPhase(ph Phase, seq uint32) { p.word(offPhase).Store(uint64(seq)<<8 | uint64(ph)) }

// running is the phase and the seq that belongs to it.
func (p page) running() (Phase, uint32) {
	v := p.word(offPhase).Load()
	return Phase(v), uint32(v >> 8)
}

func (p page) claim(seq uint32) *atomic.Uint64 {
	return p.word(offClaims + 8*int(seq%claimWords))
}

// offer marks seq as sent; the parent calls it before it writes the frame.
func (p page) offer(seq uint32) { p.claim(seq).Store(uint64(seq)<<8 | claimSent) }

// start claims seq for the worker; false means that the parent took it back.
func (p page) start(seq uint32) bool {
	return p.claim(seq).CompareAndSwap(uint64(seq)<<8|claimSent, uint64(seq)<<8|claimStarted)
}

// revoke takes seq back for the parent; false means that the worker has started it, by its claim or by its phase, which
// follows the claim.
func (p page) revoke(seq uint32) bool {
	if phase, running := p.running(); running == seq && (phase == PhaseRunning || phase == PhaseWriting) {
		return false
	}
	return p.claim(seq).CompareAndSwap(uint64(seq)<<8|claimSent, uint64(seq)<<8|claimRevoked)
}

// unstarted tells whether the worker has not claimed seq.
func (p page) unstarted(seq uint32) bool { return p.claim(seq).Load() == uint64(seq)<<8|claimSent }

func (p page) together() bool                   { return false }
func (p page) pong() (ping uint32, pinged bool) { return uint32(p.word(offPong).Load()), true }
func (p page) collected(n uint64)               { p.word(offConsumed).Store(n) }
func (p page) fault() error                     { return nil }

func (p page) arm(at CrashPoint) bool {
	p.word(offCrash).Store(uint64(at))
	return true
}

// CrashPoint names a place in a worker's protocol loop where it can be made to die: see [Pool.ArmCrashPoint].
type CrashPoint uint64

// The crash points. At each the worker raises SIGKILL on itself.
const (
	CrashNone        CrashPoint = iota
	CrashBeforeRead             // tasks have arrived, none is started
	CrashAfterRead              // a task is claimed, its handler has not been called
	CrashMidExec                // the handler is running: 1 ms after its call
	CrashMidWrite               // half of a result frame is written
	CrashAfterWrite             // a result frame is written whole
	CrashDuringDrain            // asked to stop, before it exits
)

func (c CrashPoint) String() string {
	return [...]string{"none", "before-read", "after-read", "mid-exec", "mid-write", "after-write", "during-drain"}[min(c, CrashDuringDrain)]
}
