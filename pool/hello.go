package pool

import (
	"encoding/binary"
	"fmt"
)

// hello is what a worker is told before it boots. It is encoded by hand, because a worker that has not seen a task yet
// need not have touched the codec.
type hello struct {
	pool, worker string
	init         string // the initializer's name, "" for none
	initArg      []byte
	maxPayload   int64
}

func (h *hello) append(dst []byte) []byte {
	for _, s := range []string{h.pool, h.worker, h.init, string(h.initArg)} {
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	return binary.AppendVarint(dst, h.maxPayload)
}

func (h *hello) parse(data []byte) error {
	var arg string
	for _, s := range []*string{&h.pool, &h.worker, &h.init, &arg} {
		size, n := binary.Uvarint(data)
		if n <= 0 || size > uint64(len(data)-n) {
			return fmt.Errorf("%w: a hello of another make", errFrame)
		}
		*s, data = string(data[n:n+int(size)]), data[n+int(size):]
	}
	h.initArg = []byte(arg)
	var n int
	if h.maxPayload, n = binary.Varint(data); n <= 0 || n != len(data) {
		return fmt.Errorf("%w: a hello of another make", errFrame)
	}
	return nil
}
