// Package spool hands things on in their order from a goroutine that is there only while there are any, so that who has
// one leaves it and goes on, however slow or stuck their receiver is.
package spool

import (
	"sync"
	"time"
)

// Spool holds what waits for its receiver. Most and Deliver are set before the first Add. It is safe for concurrent
// use.
type Spool[T any] struct {
	// Most is how many may wait beside those that Deliver has just now.
	Most int
	// Deliver gets what has come since it was last called, which it must not keep, and how many calls of Add were
	// dropped since because more would have waited than may. It is called by one goroutine at a time.
	Deliver func(batch []T, dropped int)

	mu      sync.Mutex
	waiting []T
	dropped int
	idle    chan struct{} // closed when the goroutine has ended; nil when there is none
}

// Add leaves all parts for Deliver, or drops them all.
func (s *Spool[T]) Add(parts ...[]T) {
	n := 0
	for _, part := range parts {
		n += len(part)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting)+n > s.Most {
		s.dropped++
		return
	}
	for _, part := range parts {
		s.waiting = append(s.waiting, part...)
	}
	if s.idle == nil {
		s.idle = make(chan struct{})
		go s.deliver(s.idle)
	}
}

func (s *Spool[T]) deliver(idle chan struct{}) {
	defer close(idle)
	var spare []T
	for {
		s.mu.Lock()
		batch, dropped := s.waiting, s.dropped
		s.waiting, s.dropped = spare[:0], 0
		if len(batch) == 0 && dropped == 0 {
			s.idle, s.waiting = nil, nil
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		s.Deliver(batch, dropped)
		clear(batch) // what it refers to is not kept
		spare = batch
	}
}

// Wait waits until everything is delivered, at most so long.
func (s *Spool[T]) Wait(most time.Duration) {
	s.mu.Lock()
	idle := s.idle
	s.mu.Unlock()
	if idle == nil {
		return
	}
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-idle:
	case <-late.C:
	}
}
