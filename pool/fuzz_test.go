package pool

import (
	"bytes"
	"errors"
	"testing"

	"github.com/respawn-go/respawn/internal/wire"
)

// someFrames are frames of every kind, one after the other.
func someFrames() []byte {
	var b []byte
	for kind := wire.FrameHello; kind <= wire.FrameGoodbye; kind++ {
		b = wire.AppendFrame(b, &wire.Frame{Kind: kind, ID: uint64(kind) << 40, Seq: uint32(kind), Attempt: 1, Payload: bytes.Repeat([]byte{byte(kind)}, int(kind))})
	}
	return wire.AppendFrame(b, &wire.Frame{Kind: wire.FrameTask, KeyLen: 3, Payload: []byte("keyargument")})
}

func FuzzParseFrame(f *testing.F) {
	f.Add(someFrames())
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, wire.HeaderSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got wire.Frame
		used, err := wire.ParseFrame(data, &got)
		switch {
		case err != nil && !errors.Is(err, wire.ErrFrame):
			t.Fatalf("an error that is not errFrame: %v", err)
		case err != nil && used != 0, used > len(data):
			t.Fatalf("used %d of %d, %v", used, len(data), err)
		case used == 0:
			return
		}
		_, _ = got.Key(), got.Body()
		if again := wire.AppendFrame(nil, &got); !bytes.Equal(again, data[:used]) {
			t.Fatalf("%x was written again as %x", data[:used], again)
		}
	})
}

// FuzzFrameBuffer holds that frames do not depend on the pieces in which their bytes arrive.
func FuzzFrameBuffer(f *testing.F) {
	f.Add(someFrames(), uint8(1))
	f.Add(someFrames(), uint8(33))
	f.Add(append(someFrames(), "garbage that is long enough for a header"...), uint8(7))
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		whole, wholeErr := framesOf(data, len(data)+1)
		pieces, piecesErr := framesOf(data, int(piece)+1)
		if !bytes.Equal(whole, pieces) || (wholeErr == nil) != (piecesErr == nil) {
			t.Fatalf("whole %x (%v), in pieces of %d %x (%v)", whole, wholeErr, piece, pieces, piecesErr)
		}
	})
}

// framesOf writes again every frame that comes out of a buffer that is fed the data in pieces.
func framesOf(data []byte, piece int) (frames []byte, err error) {
	var in wire.Buffer
	var f wire.Frame
	for len(data) > 0 {
		n := copy(in.Space(1), data[:min(piece, len(data))])
		in.Added(n)
		data = data[n:]
		for {
			ok, err := in.Next(&f)
			if err != nil {
				return frames, err
			}
			if !ok {
				break
			}
			frames = wire.AppendFrame(frames, &f)
		}
	}
	return frames, nil
}

// FuzzControl feeds a worker what its parent never sends.

func FuzzArenaRef(f *testing.F) {
	f.Add(wire.AppendRef(nil, wire.Ref{Offset: 0, Size: 16}), uint16(16))
	f.Add(wire.AppendRef(nil, wire.Ref{Offset: 1 << 63, Size: 1 << 63}), uint16(100))
	f.Add(wire.AppendRef(nil, wire.Ref{Offset: ^uint64(0), Size: 2}), uint16(100))
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		arena := make([]byte, size)
		ref, ok := wire.ParseRef(data)
		if ok != (len(data) == 16) {
			t.Fatalf("%d bytes: %v", len(data), ok)
		}
		part := ref.Slice(arena)
		if part != nil && uint64(len(part)) != ref.Size || cap(part) > len(arena) {
			t.Fatalf("%+v of %d gave %d bytes", ref, size, len(part))
		}
		if !ok {
			return
		}
		if again := wire.AppendRef(nil, ref); !bytes.Equal(again, data) {
			t.Fatalf("%x was written again as %x", data, again)
		}
	})
}
