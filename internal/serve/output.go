package serve

import (
	"errors"
	"fmt"
	"time"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/wire"
)

// resultBuffer is where a handler's result is encoded to: straight into the arena when its last large result has been
// collected, so that a large one is not copied again.
func (s *Server) resultBuffer() (dst []byte, inArena bool) {
	if s.Up != nil && s.Page.Word(wire.OffConsumed).Load() == s.pending {
		return s.room()[:0], true
	}
	return s.scratch[:0], false
}

// room is where in the arena the next large result goes.
func (s *Server) room() []byte { return wire.Place(s.Up, int(s.Page.Word(wire.OffPlace).Load())) }

// emit appends a result frame to the outgoing ones and writes them when there are many or they have waited.
func (s *Server) emit(r wire.Frame, at time.Duration) {
	if s.Up != nil && len(r.Payload) >= wire.InlinePayload {
		s.toArena(&r)
	}
	s.outMu.Lock()
	if len(s.out) == 0 {
		s.outFrom = at
	}
	s.out = wire.AppendFrame(s.out, &r)
	full := len(s.out) >= flushBytes || at-s.outFrom >= flushAfter
	s.outMu.Unlock()
	if s.Page.Word(wire.OffCrash).Load() != 0 {
		s.crashWriting()
	}
	if full {
		_ = s.flush() // an error comes again at the end of the batch
		s.clock = 0
	}
}

// toArena moves a large payload to the arena, if it is not there already, and puts a reference in its place. It waits
// until the parent has collected the last one.
func (s *Server) toArena(r *wire.Frame) {
	if len(r.Payload) > len(s.Up)/wire.Places {
		return // cannot be: a value is bounded by MaxPayload, errors by their nature; the frame limit catches it
	}
	for pause := time.Microsecond; s.Page.Word(wire.OffConsumed).Load() < s.pending; pause = min(2*pause,
		time.Millisecond) {
		_ = s.flush()
		time.Sleep(pause)
	}
	at, inPlace := codec.OffsetIn(s.Up, r.Payload)
	if !inPlace {
		room := s.room()
		copy(room, r.Payload)
		at, _ = codec.OffsetIn(s.Up, room)
	}
	s.pending++
	r.Payload = wire.AppendRef(nil, wire.Ref{Offset: at, Size: uint64(len(r.Payload))})
	r.Flags |= wire.FlagArena
}

// partFrame is the result that is a part of the task's argument: named where it lies in the arena, or else encoded.
func (s *Server) partFrame(part []byte) wire.Frame {
	head := codec.AppendHead(nil, codec.BytesMajor, uint64(len(part)))
	if at, ok := codec.OffsetIn(s.Down, part); ok && at >= uint64(len(head)) { // the parent writes the head before it
		return wire.Frame{Kind: wire.FrameValue, Flags: wire.FlagArena | wire.FlagPart, Payload: wire.AppendRef(nil,
			wire.Ref{Offset: at, Size: uint64(len(part))})}
	}
	return wire.Frame{Kind: wire.FrameValue, Payload: append(head, part...)}
}

// send appends a frame to the outgoing ones.
func (s *Server) send(f *wire.Frame) {
	s.outMu.Lock()
	s.out = wire.AppendFrame(s.out, f)
	s.outMu.Unlock()
}

// flush writes the outgoing frames. Once that has failed the parent has lost some of them, and it fails ever after.
func (s *Server) flush() error {
	s.outMu.Lock()
	defer s.outMu.Unlock()
	if len(s.out) > 0 && s.broken == nil {
		s.broken = s.Write(s.out)
	}
	s.out = s.out[:0]
	return s.broken
}

// CodecError is how a task fails whose argument could not be decoded, or whose result not encoded.
type CodecError struct {
	What string // "decode argument" or "encode result"
	Err  error
}

func (e *CodecError) Error() string { return e.What + ": " + e.Err.Error() }

func failure(what string, err error) wire.Frame {
	w := wire.CodecFailure{What: what, Err: Pack(err)}
	payload, _ := codec.CBOR.Append(nil, &w)
	if len(payload) > wire.MaxFrame {
		w.Err = wire.Error{Message: beginning(w.Err.Message), Type: w.Err.Type}
		payload, _ = codec.CBOR.Append(nil, &w)
	}
	return wire.Frame{Kind: wire.FrameEncode, Payload: payload}
}

func tooLarge(size int, limit int64) wire.Frame {
	w := wire.CodecFailure{
		What: "encode result", TooLarge: true, Err: Pack(fmt.Errorf("%d bytes, at most %d", size, limit)),
	}
	payload, _ := codec.CBOR.Append(nil, &w)
	return wire.Frame{Kind: wire.FrameEncode, Payload: payload}
}

func handlerFailure(err error) wire.Frame {
	var enc *CodecError
	if errors.As(err, &enc) {
		return failure(enc.What, enc.Err)
	}
	return wire.Frame{Kind: wire.FrameError, Payload: encodeError(err)}
}

// encodeError is err for the wire. One that no frame can hold keeps the beginning of its message, and nothing that it
// wraps.
func encodeError(err error) []byte {
	w := Pack(err)
	payload, _ := codec.CBOR.Append(nil, &w)
	if len(payload) > wire.MaxFrame {
		w = wire.Error{Message: beginning(w.Message), Type: w.Type}
		payload, _ = codec.CBOR.Append(nil, &w)
	}
	return payload
}

// beginning is as much of a text as there is room for beside others.
func beginning(text string) string {
	if len(text) <= wire.MaxText {
		return text
	}
	return text[:wire.MaxText] + "…"
}
