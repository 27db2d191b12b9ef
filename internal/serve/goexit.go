package serve

import (
	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/wire"
)

// goOnUnless is deferred around a handler. One that ends the goroutine that it runs in, by runtime.Goexit or what calls
// it, such as t.FailNow, ends its task alone: another goroutine goes on.
func (s *Server) goOnUnless(returned *bool, tc *Context) {
	if !*returned {
		go s.goOn(tc)
	}
}

// goOn tells of the task and takes the place of the goroutine that it ended.
func (s *Server) goOn(tc *Context) {
	tc.finish()
	payload, _ := codec.CBOR.Append(nil, &wire.Panic{Value: "the handler called runtime.Goexit"})
	s.send(&wire.Frame{Kind: wire.FramePanic, ID: tc.id, Seq: tc.seq, Payload: payload})
	err := s.flush() // a fake worker that is dead ends here
	s.Page.Word(wire.OffDone).Add(1)
	if err == nil {
		err = s.batch()
	}
	if s.served(err) {
		s.serve()
	}
	s.Exit(1)
}
