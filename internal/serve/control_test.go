package serve

import (
	"bytes"
	"testing"

	"github.com/respawn-go/respawn/internal/wire"
)

func FuzzControl(f *testing.F) {
	for kind := wire.ControlPing; kind < wire.ControlStop; kind++ {
		b := wire.Control{Kind: kind, Arg: 7}.Encode()
		f.Add(b[:])
	}
	f.Add(bytes.Repeat([]byte{0xff}, wire.ControlSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < wire.ControlSize {
			return
		}
		m := wire.DecodeControl(data)
		if m.Kind == wire.ControlStop {
			return // ends the process
		}
		s := &Server{
			Host: Host{Page: wire.Page{Mem: make([]byte, wire.PageSize)}, Write: func([]byte) error { return nil }},
		}
		s.handleControl(m)
		if b := m.Encode(); wire.DecodeControl(b[:]) != m {
			t.Fatalf("%v was written again as %v", m, wire.DecodeControl(b[:]))
		}
	})
}
