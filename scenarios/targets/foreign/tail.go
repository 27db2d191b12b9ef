package foreign

import (
	"bytes"
	"os"
	"sync"
)

const tailSize = 16 << 10

// tail keeps the last tailSize bytes of what a pipe carries, however much that is.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// read runs until the pipe ends or its deadline has passed.
func (t *tail) read(pipe *os.File) {
	defer pipe.Close()
	buf := make([]byte, 4<<10)
	for {
		n, err := pipe.Read(buf)
		t.add(buf[:n])
		if err != nil {
			return
		}
	}
}

func (t *tail) add(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if n := len(t.kept); n > tailSize {
		t.kept = append(t.kept[:0], t.kept[n-tailSize:]...)
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.ToValidUTF8(t.kept, []byte("\uFFFD")))
}
