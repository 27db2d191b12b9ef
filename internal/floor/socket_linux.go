package floor

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"
)

// PingPong measures n times a message of PayloadSize bytes there and back.
func PingPong(ctx context.Context, n int) ([]time.Duration, error) { return Echo(ctx, PayloadSize, n) }

// Echo measures n times a message of size bytes there and back: written whole, read whole by the child, and likewise
// back.
func Echo(ctx context.Context, size, n int) ([]time.Duration, error) {
	c, err := start(roleEcho)
	if err != nil {
		return nil, err
	}
	defer c.end()
	out, in := make([]byte, size), make([]byte, size)
	for i := range out {
		out[i] = byte(i)
	}
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], uint64(size))
	if _, err := c.conn.Write(head[:]); err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	turn := func() (time.Duration, error) {
		began := time.Now()
		if _, err := c.conn.Write(out); err != nil {
			return 0, fmt.Errorf("floor: %w", err)
		}
		if _, err := io.ReadFull(c.conn, in); err != nil {
			return 0, fmt.Errorf("floor: %w", err)
		}
		return time.Since(began), nil
	}
	if _, err := turn(); err != nil { // touches the memory
		return nil, err
	}
	return sample(ctx, n, turn)
}
