package check

import (
	"encoding/binary"
	"fmt"
	"time"
)

// The numbers of docs/wire.md. They are written here again, and not taken from the pool: what was wrong in both would
// be seen in neither.
const (
	protocol   = 1
	headerSize = 32
	maxFrame   = 4 << 20
	large      = 64 << 10
	maxText    = 64 << 10
	ticketSize = 4

	kindHello, kindTask, kindReady, kindBootFailed, kindValue, kindError, kindEncode, kindUnknown, kindGoodbye = 1, 2,
		3, 4, 5, 6, 8, 9, 10

	flagShared, flagBytes, flagWantBytes = 1, 4, 8

	orderPing, orderCancel, orderFlush, orderStop, orderCollected = 1, 2, 3, 4, 5
)

var kindNames = map[byte]string{
	kindHello: "hello", kindTask: "task", kindReady: "ready", kindBootFailed: "boot failed", kindValue: "value",
	kindError: "error", kindEncode: "encode", kindUnknown: "unknown", kindGoodbye: "goodbye",
}

func kindName(kind byte) string {
	if name, ok := kindNames[kind]; ok {
		return fmt.Sprintf("%q (%d)", name, kind)
	}
	return fmt.Sprintf("%d", kind)
}

// frame is one frame; n counts those that came from the worker, from 1.
type frame struct {
	n               int
	came            time.Time
	kind, flags     byte
	handler         uint16
	id              uint64
	seq             uint32
	attempt, keyLen uint16
	run             uint64
	payload         []byte
}

func (f *frame) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.payload)))
	b = append(b, f.kind, f.flags)
	b = binary.LittleEndian.AppendUint16(b, f.handler)
	b = binary.LittleEndian.AppendUint64(b, f.id)
	b = binary.LittleEndian.AppendUint32(b, f.seq)
	b = binary.LittleEndian.AppendUint16(b, f.attempt)
	b = binary.LittleEndian.AppendUint16(b, f.keyLen)
	b = binary.LittleEndian.AppendUint64(b, f.run)
	return append(b, f.payload...)
}

// parseHeader takes a header apart, and says how long the payload is.
func parseHeader(b []byte) (f frame, size uint32) {
	return frame{
		kind: b[4], flags: b[5], handler: binary.LittleEndian.Uint16(b[6:]), id: binary.LittleEndian.Uint64(b[8:]),
		seq: binary.LittleEndian.Uint32(b[16:]), attempt: binary.LittleEndian.Uint16(b[20:]),
		keyLen: binary.LittleEndian.Uint16(b[22:]),
		run:    binary.LittleEndian.Uint64(b[24:]),
	}, binary.LittleEndian.Uint32(b)
}

// order is what goes over the control socket.
func order(kind byte, argument uint32) []byte {
	return binary.LittleEndian.AppendUint32([]byte{kind, 0, 0, 0}, argument)
}

// readyText and failure are the JSON that comes from a worker.
type (
	readyText struct {
		Protocol *int     `json:"protocol"`
		PID      *int     `json:"pid"`
		Tasks    []string `json:"tasks"`
		Can      []string `json:"can"`
		SDK      string   `json:"sdk"`
	}
	failure struct {
		Message  *string `json:"message"`
		Type     *string `json:"type"`
		Trace    string  `json:"trace"`
		What     string  `json:"what"`
		TooLarge bool    `json:"too_large"`
	}
)
