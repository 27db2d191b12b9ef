package floor

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"os"
	"time"
)

// A task of the pipe floor is a frame like any protocol's: the size of its payload in four bytes, then the payload.
const (
	frameSize  = 4 + PayloadSize
	pipeBuffer = 64 << 10 // what one write or read of the socket can carry
)

// Pipe measures how long a child takes for that many tasks of PayloadSize bytes: batched by buffers on both sides and
// read beside the writing, with no bookkeeping at all.
func Pipe(ctx context.Context, tasks int) (time.Duration, error) {
	c, err := start(rolePipe)
	if err != nil {
		return 0, err
	}
	defer c.end()
	defer context.AfterFunc(ctx, func() { _ = c.proc.Kill() })()
	sent := make(chan error, 1)
	began := time.Now()
	go func() { sent <- ask(c.conn, tasks) }()
	in := bufio.NewReaderSize(c.conn, pipeBuffer)
	for range tasks {
		if _, err = readFrame(in); err != nil {
			_ = c.proc.Kill() // ends the writer, if that has not ended
			break
		}
	}
	took := time.Since(began)
	if sendErr := <-sent; err == nil {
		err = sendErr
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return took, err
}

// ask writes that many tasks.
func ask(w io.Writer, tasks int) error {
	out := bufio.NewWriterSize(w, pipeBuffer)
	for i := range tasks {
		if err := writeFrame(out, uint64(i)); err != nil {
			return err
		}
	}
	return out.Flush()
}

// square is the child: it answers what it has read before it reads again.
func square() {
	conn := os.NewFile(childFD, "parent")
	in, out := bufio.NewReaderSize(conn, pipeBuffer), bufio.NewWriterSize(conn, pipeBuffer)
	for {
		v, err := readFrame(in)
		if err != nil || writeFrame(out, v*v) != nil {
			return
		}
		if in.Buffered() < frameSize && out.Flush() != nil {
			return
		}
	}
}

func writeFrame(w *bufio.Writer, v uint64) error {
	b := binary.LittleEndian.AppendUint32(w.AvailableBuffer(), PayloadSize)
	_, err := w.Write(binary.LittleEndian.AppendUint64(b, v))
	return err
}

func readFrame(r *bufio.Reader) (uint64, error) {
	b, err := r.Peek(frameSize)
	if err != nil {
		return 0, err
	}
	v := binary.LittleEndian.Uint64(b[4:])
	_, err = r.Discard(frameSize)
	return v, err
}
