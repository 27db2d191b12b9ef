// Package wire is what crosses between a pool and its workers, as both sides see it: the frames of the task socket, the
// messages of the control socket, and the scoreboard, a page of memory that they share. docs/architecture.md draws it.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Kind is the first thing that a frame says of itself.
type Kind uint8

// The frames of the task socket. Parent to worker: hello once, then tasks. Worker to parent: ready or bootFailed once,
// then one result per task that it started, and goodbye when it stops by itself.
const (
	FrameHello      Kind = 1 + iota // payload: Hello
	FrameTask                       // payload: key, then the argument
	FrameReady                      // id: hash of the task names, seq: their number
	FrameBootFailed                 // payload: Error as CBOR
	FrameValue                      // payload: the result; run: nanoseconds
	FrameError                      // payload: Error as CBOR
	FramePanic                      // payload: Panic as CBOR
	FrameEncode                     // payload: CodecFailure as CBOR
	FrameUnknown                    // the worker does not know the task
	FrameGoodbye                    // SIGTERM from outside: nothing more will be started
)

// The flags of frames.
const (
	FlagArena = 1 << 0 // the payload is Ref: the bytes are in the shared arena
	// of a value, with FlagArena: the arena is that of the task's argument, and the bytes are not encoded
	FlagPart = 1 << 1
	// To a worker of another language, with a task: the argument is bytes as they are, and not JSON; so is the result
	// to be.
	FlagBytes     = 1 << 2
	FlagWantBytes = 1 << 3
)

// The sizes of frames.
const (
	HeaderSize = 32
	// InlinePayload is where the arena begins: a smaller payload travels in the socket. From here on the arena takes
	// less time of the processors, both for one call after the other and for many at once.
	InlinePayload = 16 << 10
	// ExternalInline is the same for workers of another language, as docs/wire.md has it.
	ExternalInline = 64 << 10
	// MaxText bounds a message or a stack that a worker sends of a failure.
	MaxText = 64 << 10
	// MaxFrame bounds a frame's payload on the socket: anything larger is a broken or hostile peer.
	MaxFrame = 4 << 20
)

// Frame is one message of the task socket: a header of 32 bytes, little endian, and a payload.
//
//	 0  u32  payload size
//	 4  u8   kind
//	 5  u8   flags
//	 6  u16  handler index
//	 8  u64  task id
//	16  u32  seq: the task's number on this worker
//	20  u16  attempt, from 1
//	22  u16  size of the idempotency key at the start of the payload
//	24  u64  how long the handler ran, in nanoseconds
type Frame struct {
	Kind    Kind
	Flags   uint8
	Handler uint16
	ID      uint64
	Seq     uint32
	Attempt uint16
	KeyLen  uint16
	Run     uint64
	Payload []byte // a view of the reader's buffer
}

// Key is the idempotency key of a task.
func (f *Frame) Key() string { return string(f.Payload[:f.KeyLen]) }

// Body is what follows the key.
func (f *Frame) Body() []byte { return f.Payload[f.KeyLen:] }

// AppendHeader writes the header of f with the given payload size; the payload follows by the caller's hand.
func AppendHeader(dst []byte, f *Frame, size int) []byte {
	var h [HeaderSize]byte
	binary.LittleEndian.PutUint32(h[0:], uint32(size))
	h[4], h[5] = byte(f.Kind), f.Flags
	binary.LittleEndian.PutUint16(h[6:], f.Handler)
	binary.LittleEndian.PutUint64(h[8:], f.ID)
	binary.LittleEndian.PutUint32(h[16:], f.Seq)
	binary.LittleEndian.PutUint16(h[20:], f.Attempt)
	binary.LittleEndian.PutUint16(h[22:], f.KeyLen)
	binary.LittleEndian.PutUint64(h[24:], f.Run)
	return append(dst, h[:]...)
}

// AppendFrame writes header and payload.
func AppendFrame(dst []byte, f *Frame) []byte {
	return append(AppendHeader(dst, f, len(f.Payload)), f.Payload...)
}

// ErrFrame is what a peer sent that is not a frame.
var ErrFrame = errors.New("not a frame")

// ParseFrame reads the frame at the start of data. used is 0 when data holds only a part of it.
func ParseFrame(data []byte, f *Frame) (used int, err error) {
	if len(data) < HeaderSize {
		return 0, nil
	}
	size := binary.LittleEndian.Uint32(data)
	f.Kind, f.Flags = Kind(data[4]), data[5]
	f.Handler = binary.LittleEndian.Uint16(data[6:])
	f.ID = binary.LittleEndian.Uint64(data[8:])
	f.Seq = binary.LittleEndian.Uint32(data[16:])
	f.Attempt = binary.LittleEndian.Uint16(data[20:])
	f.KeyLen = binary.LittleEndian.Uint16(data[22:])
	f.Run = binary.LittleEndian.Uint64(data[24:])
	switch {
	case size > MaxFrame:
		return 0, fmt.Errorf("%w: payload of %d bytes, at most %d", ErrFrame, size, MaxFrame)
	case f.Kind < FrameHello || f.Kind > FrameGoodbye:
		return 0, fmt.Errorf("%w: kind %d", ErrFrame, f.Kind)
	case uint32(f.KeyLen) > size:
		return 0, fmt.Errorf("%w: key of %d bytes in a payload of %d", ErrFrame, f.KeyLen, size)
	case len(data) < HeaderSize+int(size):
		return 0, nil
	}
	f.Payload = data[HeaderSize : HeaderSize+int(size)]
	return HeaderSize + int(size), nil
}

// Buffer collects bytes from a socket and gives them back as frames.
type Buffer struct {
	buf        []byte
	Start, End int // the bytes not yet parsed
}

// Space returns room for at least n bytes, moving or growing the buffer as needed. Frames given out before are invalid
// after it.
func (b *Buffer) Space(n int) []byte {
	if b.Start == b.End {
		b.Start, b.End = 0, 0
	}
	if len(b.buf)-b.End < n {
		if b.Start > 0 {
			copy(b.buf, b.buf[b.Start:b.End])
			b.Start, b.End = 0, b.End-b.Start
		}
		if len(b.buf)-b.End < n {
			grown := make([]byte, max(2*len(b.buf), b.End+n))
			copy(grown, b.buf[:b.End])
			b.buf = grown
		}
	}
	return b.buf[b.End:]
}

// Added says that n bytes were written to the last space.
func (b *Buffer) Added(n int) { b.End += n }

// Next parses one frame; ok is false when more bytes are needed.
func (b *Buffer) Next(f *Frame) (ok bool, err error) {
	used, err := ParseFrame(b.buf[b.Start:b.End], f)
	b.Start += used
	return used > 0, err
}

// ArenaSlack is room for what an encoding adds to a payload of the largest size.
const ArenaSlack = 1 << 12

// Places is how many payloads of the largest size an arena has room for: one may be on loan to a caller of the pool,
// and the next one needs a place too.
const Places = 2

// Place is one of an arena's places, by number.
func Place(arena []byte, n int) []byte {
	size := len(arena) / Places
	return arena[n*size : (n+1)*size : (n+1)*size]
}

// PlaceOf is the place that the reference is in, if it is in one.
func (r Ref) PlaceOf(arena []byte) (n int, ok bool) {
	size := uint64(max(len(arena)/Places, 1))
	n = int(min(r.Offset/size, Places))
	return n, n < Places && r.Size <= size-r.Offset%size
}

// Ref says where in the arena a payload is.
type Ref struct{ Offset, Size uint64 }

// AppendRef appends a reference, as the payload of a frame with FlagArena.
func AppendRef(dst []byte, r Ref) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, r.Offset), r.Size)
}

// Slice resolves a reference inside the arena; nil when it points outside: it may come from a hostile peer.
func (r Ref) Slice(arena []byte) []byte {
	n := uint64(len(arena))
	if r.Offset > n || r.Size > n-r.Offset {
		return nil
	}
	return arena[r.Offset : r.Offset+r.Size : r.Offset+r.Size]
}

// ParseRef reads such a payload; false if it is none.
func ParseRef(data []byte) (Ref, bool) {
	if len(data) != 16 {
		return Ref{}, false
	}
	return Ref{binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])}, true
}

// controlKind is what the parent tells a worker beside its tasks.
type controlKind uint8

// The messages of the control socket, parent to worker.
const (
	ControlPing   controlKind = 1 + iota // arg: store it in the scoreboard's pong
	ControlCancel                        // arg: seq of the task to cancel
	ControlFlush                         // write out finished results: the running task takes long
	ControlStop                          // exit once the running task is done
	// to a worker of another language; arg: how many large results were copied out of its arena
	ControlCollected
)

// ControlSize is how many bytes a message of the control socket has.
const ControlSize = 8

// Control is 8 bytes: the kind, three of padding, a u32 argument.
type Control struct {
	Kind controlKind
	Arg  uint32
}

// Encode is the message for the socket.
func (m Control) Encode() (b [ControlSize]byte) {
	b[0] = byte(m.Kind)
	binary.LittleEndian.PutUint32(b[4:], m.Arg)
	return b
}

// DecodeControl reads the message at the start of b, which has ControlSize bytes.
func DecodeControl(b []byte) Control {
	return Control{Kind: controlKind(b[0]), Arg: binary.LittleEndian.Uint32(b[4:])}
}
