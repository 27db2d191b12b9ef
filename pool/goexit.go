package pool

// goOnUnless is deferred around a handler. One that ends the goroutine that it runs in, by runtime.Goexit or what calls it,
// such as t.FailNow, ends its task alone: another goroutine goes on.
func (s *server) goOnUnless(returned *bool, tc *taskContext) {
	if !*returned {
		go s.goOn(tc)
	}
}

// goOn tells of the task and takes the place of the goroutine that it ended.
func (s *server) goOn(tc *taskContext) {
	tc.finish()
	payload, _ := CBOR.Append(nil, &wirePanic{Value: "the handler called runtime.Goexit"})
	s.send(&frame{kind: framePanic, id: tc.id, seq: tc.seq, payload: payload})
	err := s.flush() // a fake worker that is dead ends here
	s.page.word(offDone).Add(1)
	if err == nil {
		err = s.batch()
	}
	if s.served(err) {
		s.serve()
	}
	s.exit(1)
}
