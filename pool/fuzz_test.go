package pool

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"
)

// someFrames are frames of every kind, one after the other.
func someFrames() []byte {
	var b []byte
	for kind := wire.FrameHello; kind <= wire.FrameGoodbye; kind++ {
		b = wire.AppendFrame(b, &wire.Frame{
			Kind: kind, ID: uint64(kind) << 40, Seq: uint32(kind), Attempt: 1,
			Payload: bytes.Repeat([]byte{byte(kind)}, int(kind)),
		})
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

// someProcess is a process of which only the number is asked.
type someProcess struct{ process.Process }

func (someProcess) PID() int { return 4711 }

// FuzzReadyOfAnotherLanguage holds that a worker is taken only if it says who it is, and has each task once.
func FuzzReadyOfAnotherLanguage(f *testing.F) {
	for _, text := range []string{
		`{"protocol":1,"pid":4711,"tasks":["square","echo"],"can":["cancel","arena"],"sdk":"x"}`,
		`{"protocol":1,"pid":4711,"tasks":["a","a"]}`, `{"protocol":2,"pid":4711}`, `{"protocol":1,"pid":1}`,
		`{"protocol":"1"}`, `[]`, `null`, `{"protocol":1,"pid":4711,"tasks":[null,""]}`, "\xff",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		w := &worker{name: "Worker-1", proc: someProcess{}}
		refused := w.introduced(data)
		if refused != nil {
			if refused.Error() == "" {
				t.Fatal("refused without a word")
			}
			return
		}
		var said wire.Ready
		if err := json.Unmarshal(data, &said); err != nil || said.PID != 4711 || said.Protocol != wire.Protocol ||
			len(said.Tasks) != len(w.tasks) {
			t.Fatalf("%q was taken for a worker: %+v, %v", data, said, err)
		}
		for i, name := range said.Tasks {
			if w.tasks[name] != uint16(i) {
				t.Fatalf("task %q is number %d, and was said to be %d", name, w.tasks[name], i)
			}
		}
		if someNames(w.tasks) == "" {
			t.Fatal("no names for a message")
		}
	})
}

// FuzzFailureOfAnotherLanguage holds that whatever a worker says of a failure is an error.
func FuzzFailureOfAnotherLanguage(f *testing.F) {
	f.Add([]byte(`{"message":"no good","type":"ValueError","trace":"…"}`), uint8(wire.FrameError))
	f.Add([]byte(`{"message":"5 bytes","type":"ValueError","what":"encode result","too_large":true}`),
		uint8(wire.FrameEncode))
	f.Add([]byte(`{"message":7}`), uint8(wire.FrameUnknown))
	f.Add([]byte("\xff"), uint8(wire.FrameEncode))
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		c := &call{def: &definition{name: "square", external: true}, data: data, raw: wire.Kind(kind)}
		if err := c.externalFailure(); err == nil || err.Error() == "" {
			t.Fatalf("%q is no error: %v", data, err)
		}
	})
}
