package pool

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// frameKind is the first thing that a frame says of itself.
type frameKind uint8

// The frames of the task socket. Parent to worker: hello once, then tasks. Worker to parent: ready or bootFailed once,
// then one result per task that it started, and goodbye when it stops by itself.
const (
	frameHello      frameKind = 1 + iota // payload: helloFrame as CBOR
	frameTask                            // payload: key, then the argument
	frameReady                           // id: hash of the task names, seq: their number
	frameBootFailed                      // payload: wireError as CBOR
	frameValue                           // payload: the result; run: nanoseconds
	frameError                           // payload: wireError as CBOR
	framePanic                           // payload: wirePanic as CBOR
	frameEncode                          // payload: wireEncode as CBOR
	frameUnknown                         // the worker does not know the task
	frameGoodbye                         // SIGTERM from outside: nothing more will be started
)

const (
	flagArena = 1 << 0 // the payload is arenaRef: the bytes are in the shared arena
	flagPart  = 1 << 1 // of a value, with flagArena: the arena is that of the task's argument, and the bytes are not encoded
	// To a worker of another language, with a task: the argument is bytes as they are, and not JSON; so is the result to be.
	flagBytes     = 1 << 2
	flagWantBytes = 1 << 3

	headerSize = 32
	// inlinePayload is the largest payload that travels in the socket; larger ones use the arena.
	inlinePayload = 64 << 10
	// maxFrame bounds a frame's payload on the socket: anything larger is a broken or hostile peer.
	maxFrame = 4 << 20
)

// frame is one message of the task socket: a header of 32 bytes, little endian, and a payload.
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
type frame struct {
	kind    frameKind
	flags   uint8
	handler uint16
	id      uint64
	seq     uint32
	attempt uint16
	keyLen  uint16
	run     uint64
	payload []byte // a view of the reader's buffer
}

func (f *frame) key() string  { return string(f.payload[:f.keyLen]) }
func (f *frame) body() []byte { return f.payload[f.keyLen:] }

// appendHeader writes the header of f with the given payload size; the payload follows by the caller's hand.
func appendHeader(dst []byte, f *frame, size int) []byte {
	var h [headerSize]byte
	binary.LittleEndian.PutUint32(h[0:], uint32(size))
	h[4], h[5] = byte(f.kind), f.flags
	binary.LittleEndian.PutUint16(h[6:], f.handler)
	binary.LittleEndian.PutUint64(h[8:], f.id)
	binary.LittleEndian.PutUint32(h[16:], f.seq)
	binary.LittleEndian.PutUint16(h[20:], f.attempt)
	binary.LittleEndian.PutUint16(h[22:], f.keyLen)
	binary.LittleEndian.PutUint64(h[24:], f.run)
	return append(dst, h[:]...)
}

// appendFrame writes header and payload.
func appendFrame(dst []byte, f *frame) []byte {
	return append(appendHeader(dst, f, len(f.payload)), f.payload...)
}

// errFrame is what a peer sent that is not a frame.
var errFrame = errors.New("not a frame")

// parseFrame reads the frame at the start of data. used is 0 when data holds only a part of it.
func parseFrame(data []byte, f *frame) (used int, err error) {
	if len(data) < headerSize {
		return 0, nil
	}
	size := binary.LittleEndian.Uint32(data)
	f.kind, f.flags = frameKind(data[4]), data[5]
	f.handler = binary.LittleEndian.Uint16(data[6:])
	f.id = binary.LittleEndian.Uint64(data[8:])
	f.seq = binary.LittleEndian.Uint32(data[16:])
	f.attempt = binary.LittleEndian.Uint16(data[20:])
	f.keyLen = binary.LittleEndian.Uint16(data[22:])
	f.run = binary.LittleEndian.Uint64(data[24:])
	switch {
	case size > maxFrame:
		return 0, fmt.Errorf("%w: payload of %d bytes, at most %d", errFrame, size, maxFrame)
	case f.kind < frameHello || f.kind > frameGoodbye:
		return 0, fmt.Errorf("%w: kind %d", errFrame, f.kind)
	case uint32(f.keyLen) > size:
		return 0, fmt.Errorf("%w: key of %d bytes in a payload of %d", errFrame, f.keyLen, size)
	case len(data) < headerSize+int(size):
		return 0, nil
	}
	f.payload = data[headerSize : headerSize+int(size)]
	return headerSize + int(size), nil
}

// frameBuffer collects bytes from a socket and gives them back as frames.
type frameBuffer struct {
	buf        []byte
	start, end int // the bytes not yet parsed
}

// space returns room for at least n bytes, moving or growing the buffer as needed. Frames given out before are invalid
// after it.
func (b *frameBuffer) space(n int) []byte {
	if b.start == b.end {
		b.start, b.end = 0, 0
	}
	if len(b.buf)-b.end < n {
		if b.start > 0 {
			copy(b.buf, b.buf[b.start:b.end])
			b.start, b.end = 0, b.end-b.start
		}
		if len(b.buf)-b.end < n {
			grown := make([]byte, max(2*len(b.buf), b.end+n))
			copy(grown, b.buf[:b.end])
			b.buf = grown
		}
	}
	return b.buf[b.end:]
}

// added says that n bytes were written to the last space.
func (b *frameBuffer) added(n int) { b.end += n }

// next parses one frame; ok is false when more bytes are needed.
func (b *frameBuffer) next(f *frame) (ok bool, err error) {
	used, err := parseFrame(b.buf[b.start:b.end], f)
	b.start += used
	return used > 0, err
}

// wirePanic is a recovered panic.
type wirePanic struct {
	Value string `cbor:"v"`
	At    string `cbor:"a,omitempty"`
	Stack string `cbor:"s"`
}

// wireEncode is a failure of a codec in the worker.
type wireEncode struct {
	What     string    `cbor:"w"`
	Err      wireError `cbor:"e"`
	TooLarge bool      `cbor:"l,omitempty"`
}

// arenaSlack is room for what an encoding adds to a payload of the largest size.
const arenaSlack = 1 << 12

// arenaRef says where in the arena a payload is.
type arenaRef struct{ offset, size uint64 }

func appendArenaRef(dst []byte, r arenaRef) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(dst, r.offset), r.size)
}

// slice resolves a reference inside the arena; nil when it points outside: it may come from a hostile peer.
func (r arenaRef) slice(arena []byte) []byte {
	n := uint64(len(arena))
	if r.offset > n || r.size > n-r.offset {
		return nil
	}
	return arena[r.offset : r.offset+r.size : r.offset+r.size]
}

func parseArenaRef(data []byte) (arenaRef, bool) {
	if len(data) != 16 {
		return arenaRef{}, false
	}
	return arenaRef{binary.LittleEndian.Uint64(data), binary.LittleEndian.Uint64(data[8:])}, true
}

// controlKind is what the parent tells a worker beside its tasks.
type controlKind uint8

// The messages of the control socket, parent to worker.
const (
	controlPing   controlKind = 1 + iota // arg: store it in the scoreboard's pong
	controlCancel                        // arg: seq of the task to cancel
	controlFlush                         // write out finished results: the running task takes long
	controlStop                          // exit once the running task is done
)

const controlSize = 8

// controlMessage is 8 bytes: the kind, three of padding, a u32 argument.
type controlMessage struct {
	kind controlKind
	arg  uint32
}

func (m controlMessage) encode() (b [controlSize]byte) {
	b[0] = byte(m.kind)
	binary.LittleEndian.PutUint32(b[4:], m.arg)
	return b
}

func decodeControl(b []byte) controlMessage {
	return controlMessage{kind: controlKind(b[0]), arg: binary.LittleEndian.Uint32(b[4:])}
}
