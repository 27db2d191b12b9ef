package pool

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// Its frame is on the way when it is cancelled.
func TestACancelledTaskIsNoProofThatAProbeWorks(t *testing.T) {
	g, p := NewWithT(t), inGoroutines(t, Config{})
	p.mu.Lock()
	w := p.st.slots[0].worker
	p.st.breaker.until, p.st.breaker.opened, p.st.breaker.probing, w.probe = time.Now(), 3, true, true // as when a probe has just come up
	w.writing = true
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	f := plainOne.Submit(ctx, p, 1)
	cancel()
	<-f.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	g.Expect(p.st.breaker.opened).To(Equal(3))
	w.writing = false
}
