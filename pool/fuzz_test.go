package pool

import (
	"bytes"
	"errors"
	"testing"
)

// someFrames are frames of every kind, one after the other.
func someFrames() []byte {
	var b []byte
	for kind := frameHello; kind <= frameGoodbye; kind++ {
		b = appendFrame(b, &frame{kind: kind, id: uint64(kind) << 40, seq: uint32(kind), attempt: 1, payload: bytes.Repeat([]byte{byte(kind)}, int(kind))})
	}
	return appendFrame(b, &frame{kind: frameTask, keyLen: 3, payload: []byte("keyargument")})
}

func FuzzParseFrame(f *testing.F) {
	f.Add(someFrames())
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, headerSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got frame
		used, err := parseFrame(data, &got)
		switch {
		case err != nil && !errors.Is(err, errFrame):
			t.Fatalf("an error that is not errFrame: %v", err)
		case err != nil && used != 0, used > len(data):
			t.Fatalf("used %d of %d, %v", used, len(data), err)
		case used == 0:
			return
		}
		_, _ = got.key(), got.body()
		if again := appendFrame(nil, &got); !bytes.Equal(again, data[:used]) {
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
	var in frameBuffer
	var f frame
	for len(data) > 0 {
		n := copy(in.space(1), data[:min(piece, len(data))])
		in.added(n)
		data = data[n:]
		for {
			ok, err := in.next(&f)
			if err != nil {
				return frames, err
			}
			if !ok {
				break
			}
			frames = appendFrame(frames, &f)
		}
	}
	return frames, nil
}

// FuzzControl feeds a worker what its parent never sends.
func FuzzControl(f *testing.F) {
	for kind := controlPing; kind < controlStop; kind++ {
		b := controlMessage{kind: kind, arg: 7}.encode()
		f.Add(b[:])
	}
	f.Add(bytes.Repeat([]byte{0xff}, controlSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < controlSize {
			return
		}
		m := decodeControl(data)
		if m.kind == controlStop {
			return // ends the process
		}
		s := &server{host: host{page: page{make([]byte, pageSize)}, write: func([]byte) error { return nil }}}
		s.handleControl(m)
		if b := m.encode(); decodeControl(b[:]) != m {
			t.Fatalf("%v was written again as %v", m, decodeControl(b[:]))
		}
	})
}

func FuzzArenaRef(f *testing.F) {
	f.Add(appendArenaRef(nil, arenaRef{0, 16}), uint16(16))
	f.Add(appendArenaRef(nil, arenaRef{1 << 63, 1 << 63}), uint16(100))
	f.Add(appendArenaRef(nil, arenaRef{^uint64(0), 2}), uint16(100))
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		arena := make([]byte, size)
		ref, ok := parseArenaRef(data)
		if ok != (len(data) == 16) {
			t.Fatalf("%d bytes: %v", len(data), ok)
		}
		part := ref.slice(arena)
		if part != nil && uint64(len(part)) != ref.size || cap(part) > len(arena) {
			t.Fatalf("%+v of %d gave %d bytes", ref, size, len(part))
		}
		if !ok {
			return
		}
		if again := appendArenaRef(nil, ref); !bytes.Equal(again, data) {
			t.Fatalf("%x was written again as %x", data, again)
		}
	})
}
