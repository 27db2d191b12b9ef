package pool

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// boot reads the hello frame, runs the initializer and says ready.
func (s *server) boot() error {
	var f frame
	for {
		ok, err := s.in.next(&f)
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
	if f.kind != frameHello {
		return fmt.Errorf("%w: want hello, got kind %d", errFrame, f.kind)
	}
	if err := s.hello.parse(f.payload); err != nil {
		return err
	}
	settle := sync.OnceFunc(func() {
		s.settleIn()
		go s.serveControl()
	})
	if s.hello.init != "" {
		settle() // for an initializer that outlives the parent, or takes much memory; else it can wait
	}
	if err := s.initialize(); err != nil {
		return s.bootFailed(err)
	}
	n, hash := registry.fingerprint(-1)
	s.names = n
	s.page.setPhase(PhaseIdle, 0)
	s.send(&frame{kind: frameReady, id: hash, seq: uint32(n)})
	err := s.flush()
	settle() // while the parent takes the news
	return err
}

// initialize runs the initializer. One that ends the goroutine that it runs in ends the worker: there is no boot to go on with.
func (s *server) initialize() (err error) {
	if s.hello.init == "" {
		return nil
	}
	init := registry.inits[s.hello.init]
	if init == nil {
		return fmt.Errorf("initializer %q is not registered in the worker: register it in a package-level variable", s.hello.init)
	}
	returned := false
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("initializer %q panicked: %v\n%s", s.hello.init, v, stack())
		} else if !returned {
			s.complain(s.bootFailed(fmt.Errorf("initializer %q called runtime.Goexit", s.hello.init)))
			s.exit(1)
		}
	}()
	err = init(context.Background(), s.hello.initArg)
	returned = true
	return err
}

// bootFailed tells the parent why. It returns the error, and what went wrong in telling it.
func (s *server) bootFailed(err error) error {
	s.send(&frame{kind: frameBootFailed, payload: encodeError(err)})
	return errors.Join(s.flush(), err)
}
