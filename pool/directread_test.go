package pool

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
)

var (
	spins  = Register("spins", func(_ context.Context, d time.Duration) (int, error) { return spinFor(d), nil })
	blanks = Register("blanks", func(_ context.Context, n int) ([]byte, error) { return make([]byte, n), nil })
)

// spinFor does not give up its processor, so that what it is used in ends with what follows it in one read.
func spinFor(d time.Duration) (n int) {
	for began := time.Now(); time.Since(began) < d; n++ {
	}
	return n
}

// A caller reads directly. While the large result that came behind its own is copied, somebody else ends a critical
// section, and so is the one to announce it; but loses its processor before that.
func TestACallerWhoReadsHearsOfAnAnswerThatSomebodyElseAnnounces(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	p, err := New(t.Context(), Config{Size: 1})
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Terminate()
	for round, hit := 0, false; round < 50 && !hit; round++ {
		for range 2 * directAfter { // so that the reader stops
			_, err := spins.Call(t.Context(), p, 0)
			g.Expect(err).NotTo(HaveOccurred())
		}
		returned := make(chan struct{})
		go func() { defer close(returned); _, _ = spins.Call(t.Context(), p, 1200*time.Microsecond) }()
		for began := time.Now(); p.Workers()[0].InFlight == 0 && time.Since(began) < 5*time.Millisecond; {
		}
		large := blanks.Submit(t.Context(), p, 1<<20, OnSlot(0))
		hit = announceLate(p, large.Done())
		g.Eventually(returned).WithTimeout(20*time.Second).Should(BeClosed(), "round %d", round)
	}
}

// announceLate does as p.st.unlock does, with a pause before it announces; false if there was nothing to announce until
// done.
func announceLate(p *Pool, done <-chan struct{}) bool {
	for {
		p.mu.Lock()
		if e := p.st.eff; len(e.settled) > 0 {
			for _, w := range e.dirty {
				w.dirty = false
				if o, ok := w.beginWrite(); ok {
					e.writes = append(e.writes, o)
				}
			}
			p.st.eff = spareEffects()
			p.mu.Unlock()
			<-time.After(100 * time.Millisecond)
			for _, o := range e.writes {
				o.w.write(o)
			}
			for _, c := range e.settled {
				c.announce()
			}
			return true
		}
		p.mu.Unlock()
		select {
		case <-done:
			return false
		default:
		}
	}
}
