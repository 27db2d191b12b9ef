// Package calls loads targets that run no tasks: a task is a request that a scenario describes, and its outcome what
// came back.
//
// A call is made once. Nothing is repeated, redirected, cached or kept alive behind the scenario's back: of a lost
// answer the record must tell.
package calls

import (
	"context"

	"github.com/respawn-go/respawn/chaos"
)

// Call is one request that can be made again and again. Safe for concurrent use.
type Call interface {
	// Do makes the call. A connection that is refused or breaks is Lost, an answer that says no is Failed, one that is
	// not what was expected is Wrong, and none before ctx ends is Hung. PID is who says to have answered, 0 if nobody
	// does.
	Do(ctx context.Context) chaos.Settled
}

// Spec is a call as a scenario states it. Exactly one field is set.
type Spec struct {
	HTTP *HTTP `yaml:"http" doc:"An HTTP request."`
	TCP  *TCP  `yaml:"tcp" doc:"A line sent to a TCP port, and the line that comes back."`
	Exec *Exec `yaml:"exec" doc:"A program that is run."`
}

// Call is the call that is set; nil for none.
func (s Spec) Call() Call {
	switch {
	case s.HTTP != nil:
		return s.HTTP
	case s.TCP != nil:
		return s.TCP
	case s.Exec != nil:
		return s.Exec
	}
	return nil
}

// Name is the key of the call that is set; "" for none.
func (s Spec) Name() string {
	switch {
	case s.HTTP != nil:
		return "http"
	case s.TCP != nil:
		return "tcp"
	case s.Exec != nil:
		return "exec"
	}
	return ""
}

// Check tells what is wrong with the call.
func (s Spec) Check(fail func(key, format string, args ...any)) {
	below := func(name string) func(key, format string, args ...any) {
		return func(key, format string, args ...any) {
			if key != "" {
				key = "." + key
			}
			fail(name+key, format, args...)
		}
	}
	set := 0
	if s.HTTP != nil {
		set++
		s.HTTP.check(below("http"))
	}
	if s.TCP != nil {
		set++
		s.TCP.check(below("tcp"))
	}
	if s.Exec != nil {
		set++
		s.Exec.check(below("exec"))
	}
	if set > 1 {
		fail("", "http, tcp and exec contradict each other: want one")
	}
}

// Identifies tells whether answers name the process that gave them.
func (s Spec) Identifies() bool { return s.HTTP != nil && s.HTTP.AnsweredBy != nil }

// Away tells whether the call goes beyond this machine.
func (s Spec) Away() bool {
	switch {
	case s.HTTP != nil:
		return !onLoopback(s.HTTP.host())
	case s.TCP != nil:
		return !onLoopback(s.TCP.host())
	}
	return false
}
