package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/respawn-go/respawn/internal/stack"
	"github.com/respawn-go/respawn/internal/wire"
)

// boot reads the hello frame, runs the initializer and says ready.
func (s *Server) boot() error {
	var f wire.Frame
	for {
		ok, err := s.in.Next(&f)
		if err != nil {
			return err
		}
		if ok {
			break
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
	if f.Kind != wire.FrameHello {
		return fmt.Errorf("%w: want hello, got kind %d", wire.ErrFrame, f.Kind)
	}
	if err := s.hello.Parse(f.Payload); err != nil {
		return err
	}
	settle := sync.OnceFunc(func() {
		s.SettleIn()
		go s.serveControl()
	})
	if s.hello.Init != "" {
		settle() // for an initializer that outlives the parent, or takes much memory; else it can wait
	}
	if err := s.initialize(); err != nil {
		return s.bootFailed(err)
	}
	n, hash := Registry.Fingerprint(-1)
	s.names = n
	s.Page.SetPhase(wire.PhaseIdle, 0)
	s.send(&wire.Frame{Kind: wire.FrameReady, ID: hash, Seq: uint32(n)})
	err := s.flush()
	settle() // while the parent takes the news
	return err
}

// initialize runs the initializer. One that ends the goroutine that it runs in ends the worker: there is no boot to go
// on with.
func (s *Server) initialize() (err error) {
	if s.hello.Init == "" {
		return nil
	}
	init := Registry.inits[s.hello.Init]
	if init == nil {
		return fmt.Errorf("initializer %q is not registered in the worker: register it in a package-level variable",
			s.hello.Init)
	}
	returned := false
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("initializer %q panicked: %v\n%s", s.hello.Init, v, stack.Trace())
		} else if !returned {
			s.Complain(s.bootFailed(fmt.Errorf("initializer %q called runtime.Goexit", s.hello.Init)))
			s.Exit(1)
		}
	}()
	err = init(context.Background(), s.hello.InitArg)
	returned = true
	return err
}

// bootFailed tells the parent why. It returns the error, and what went wrong in telling it.
func (s *Server) bootFailed(err error) error {
	s.send(&wire.Frame{Kind: wire.FrameBootFailed, Payload: encodeError(err)})
	return errors.Join(s.flush(), err)
}
