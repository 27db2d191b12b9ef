package serve

import (
	"fmt"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/wire"
)

// crash kills the worker if it is armed for this point. When nothing is armed it costs one load of a shared word.
func (s *Server) crash(at wire.CrashPoint) {
	if wire.CrashPoint(s.Page.Word(wire.OffCrash).Load()) == at {
		s.perish(at)
	}
}

// perish says where it happens and dies.
func (s *Server) perish(at wire.CrashPoint) {
	s.Complain(fmt.Errorf("crash point %s", at))
	s.Die(syscall.SIGKILL)
}

// crashLater arranges for the worker to die 1 ms into its handler, if it is armed for that; a handler that is faster
// waits for the channel, which is closed after the end if anybody is left then.
func (s *Server) crashLater() <-chan struct{} {
	if wire.CrashPoint(s.Page.Word(wire.OffCrash).Load()) != wire.CrashMidExec {
		return nil
	}
	over := make(chan struct{})
	time.AfterFunc(time.Millisecond, func() {
		defer close(over)
		s.perish(wire.CrashMidExec)
	})
	return over
}

// crashWriting dies in the middle of the outgoing frames, or after them, if it is armed for that.
func (s *Server) crashWriting() {
	switch wire.CrashPoint(s.Page.Word(wire.OffCrash).Load()) {
	case wire.CrashMidWrite:
		s.outMu.Lock()
		defer s.outMu.Unlock()
		torn := len(s.out) - wire.HeaderSize/2 // everything before the last frame, and a part of its header
		_ = s.Write(s.out[:max(torn, 1)])
		s.perish(wire.CrashMidWrite)
	case wire.CrashAfterWrite:
		_ = s.flush()
		s.perish(wire.CrashAfterWrite)
	}
}
