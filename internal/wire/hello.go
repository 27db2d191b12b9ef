package wire

import (
	"encoding/binary"
	"fmt"
)

// Hello is what a worker is told before it boots. It is encoded by hand, because a worker that has not seen a task yet
// need not have touched the codec.
type Hello struct {
	Pool, Worker string
	Init         string // the initializer's name, "" for none
	InitArg      []byte
	MaxPayload   int64
}

// Append appends the hello for a worker that is this program.
func (h *Hello) Append(dst []byte) []byte {
	for _, s := range []string{h.Pool, h.Worker, h.Init, string(h.InitArg)} {
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	return binary.AppendVarint(dst, h.MaxPayload)
}

// Parse reads what Append wrote. The error is ErrFrame.
func (h *Hello) Parse(data []byte) error {
	var arg string
	for _, s := range []*string{&h.Pool, &h.Worker, &h.Init, &arg} {
		size, n := binary.Uvarint(data)
		if n <= 0 || size > uint64(len(data)-n) {
			return fmt.Errorf("%w: a hello of another make", ErrFrame)
		}
		*s, data = string(data[n:n+int(size)]), data[n+int(size):]
	}
	h.InitArg = []byte(arg)
	var n int
	if h.MaxPayload, n = binary.Varint(data); n <= 0 || n != len(data) {
		return fmt.Errorf("%w: a hello of another make", ErrFrame)
	}
	return nil
}
