package process

import (
	"encoding/binary"
	"testing"
)

// FuzzTickets lets a worker take, tear, forge and forget tickets while its pool offers, writes and takes back. As long
// as the worker does what it may, each task is either its own or taken back; when it does not, that is a fault, and
// nothing more is taken back.
func FuzzTickets(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 4, 2, 3, 0, 1, 4, 4, 2})
	f.Add([]byte{0, 0, 1, 5, 2, 3})             // torn
	f.Add([]byte{0, 1, 6, 3, 2})                // forged
	f.Add([]byte{0, 0, 0, 1, 7, 2, 0, 1, 4, 3}) // others in place of ours
	f.Fuzz(func(t *testing.T, ops []byte) {
		pipe := &memoryPipe{}
		rec := newTickets(pipe)
		ran, back := map[uint32]bool{}, map[uint32]bool{}
		next, honest := uint32(0), true
		for i, op := range ops {
			switch op % 8 {
			case 0:
				if next-rec.last < 500 {
					rec.Offer(next)
					next++
				}
			case 1:
				rec.write()
			case 2:
				for seq := range next {
					if !back[seq] && rec.Revoke(seq) {
						back[seq] = true
					}
				}
			case 3:
				if seq := uint32(i) % max(next, 1); rec.Unstarted(seq) && ran[seq] && honest {
					// who puts a ticket back hurts its own task
					t.Fatalf("task %d ran, and counts as not started", seq)
				}
				rec.Running()
			case 4:
				if len(pipe.b) >= ticketSize {
					ran[binary.LittleEndian.Uint32(pipe.b)] = honest
					pipe.b = pipe.b[ticketSize:]
				}
			case 5:
				pipe.b, honest = pipe.b[min(1, len(pipe.b)):], honest && len(pipe.b) == 0
			case 6:
				pipe.b, honest = append(pipe.b, 0xff, 0xff, 0xff, 0xff), false
			case 7:
				for j := range pipe.b {
					pipe.b[j] ^= byte(i) | 1
					honest = false
				}
			}
			if honest && rec.Fault() != nil {
				t.Fatalf("a worker that does what it may is said to have broken the record: %v", rec.Fault())
			}
		}
		for seq := range next {
			if honest && ran[seq] && back[seq] {
				t.Fatalf("task %d ran, and was taken back", seq)
			}
			if rec.Fault() != nil && rec.Unstarted(seq) {
				t.Fatalf("task %d counts as not started at a worker that broke its record", seq)
			}
		}
	})
}
