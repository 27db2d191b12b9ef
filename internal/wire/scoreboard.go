package wire

import (
	"sync/atomic"
	"unsafe"
)

// Page is a worker's scoreboard: memory shared with it that outlives it, so that after SIGKILL the parent still knows
// which task was running. Its ancestor is the scoreboard of Apache's prefork server. The worker writes it and is not
// trusted: a wrong word can only hurt that worker's own tasks. Words sit on cache lines of their own.
//
//	  0  phase in the low byte, seq of the running task above it: one word, so that it is never torn
//	 64  pong: the argument of the last ping answered
//	128  tasks done
//	192  crash point, written by the parent: 0 is off
//	256  large results that the parent has collected from the arena
//	320  the place in the arena where the next one goes
//	384  claim words, one per seq modulo ClaimWords
type Page struct{ Mem []byte }

// The words of a page, by offset, and its size.
const (
	offPhase    = 0
	OffPong     = 64
	OffDone     = 128
	OffCrash    = 192
	OffConsumed = 256
	OffPlace    = 320
	offClaims   = 384

	ClaimWords = 1024 // so many tasks may be at a worker; a power of two
	PageSize   = offClaims + 8*ClaimWords
)

// A claim word holds the seq of a sent task above its state. Parent and worker change it by compare-and-swap, so that a
// sent task is either started by the worker or taken back by the parent, never both.
const (
	ClaimSent = 1 + iota
	claimStarted
	claimRevoked
)

// Word is the word at that offset.
func (p Page) Word(off int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&p.Mem[off])) }

// SetPhase tells what the worker does, and with which task.
func (p Page) SetPhase(ph Phase, seq uint32) { p.Word(offPhase).Store(uint64(seq)<<8 | uint64(ph)) }

// Running is the phase and the seq that belongs to it.
func (p Page) Running() (Phase, uint32) {
	v := p.Word(offPhase).Load()
	return Phase(v), uint32(v >> 8)
}

// Claim is the claim word of a task.
func (p Page) Claim(seq uint32) *atomic.Uint64 {
	return p.Word(offClaims + 8*int(seq%ClaimWords))
}

// Offer marks seq as sent; the parent calls it before it writes the frame.
func (p Page) Offer(seq uint32) { p.Claim(seq).Store(uint64(seq)<<8 | ClaimSent) }

// Start claims seq for the worker; false means that the parent took it back.
func (p Page) Start(seq uint32) bool {
	return p.Claim(seq).CompareAndSwap(uint64(seq)<<8|ClaimSent, uint64(seq)<<8|claimStarted)
}

// Revoke takes seq back for the parent; false means that the worker has started it, by its claim or by its phase, which
// follows the claim.
func (p Page) Revoke(seq uint32) bool {
	if phase, running := p.Running(); running == seq && (phase == PhaseRunning || phase == PhaseWriting) {
		return false
	}
	return p.Claim(seq).CompareAndSwap(uint64(seq)<<8|ClaimSent, uint64(seq)<<8|claimRevoked)
}

// Unstarted tells whether the worker has not claimed seq.
func (p Page) Unstarted(seq uint32) bool { return p.Claim(seq).Load() == uint64(seq)<<8|ClaimSent }

// Together is false: claim words are taken back one by one.
func (p Page) Together() bool { return false }

// Pong is the last ping that was answered. Each worker with a page is asked.
func (p Page) Pong() (ping uint32, pinged bool) { return uint32(p.Word(OffPong).Load()), true }

// Collected tells the worker how many large results have been collected from the arena, and the place where the next
// one goes.
func (p Page) Collected(n uint64, place int) {
	p.Word(OffPlace).Store(uint64(place)) // first, since the worker that sees the other looks for this one
	p.Word(OffConsumed).Store(n)
}

// Fault is nil: no word of a page is wrong by itself.
func (p Page) Fault() error { return nil }

// Arm sets the crash point.
func (p Page) Arm(at CrashPoint) bool {
	p.Word(OffCrash).Store(uint64(at))
	return true
}

// CrashPoint names a place in a worker's protocol loop where it can be made to die: see ArmCrashPoint of the pool.
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
	return [...]string{
		"none", "before-read", "after-read", "mid-exec", "mid-write", "after-write", "during-drain",
	}[min(c, CrashDuringDrain)]
}
