package pool_test

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// upMemory is how much of the arenas of results a process has in memory, in bytes.
func upMemory(g *WithT, pid int) (n int) {
	smaps, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps")
	g.Expect(err).NotTo(HaveOccurred())
	for _, m := range regexp.MustCompile(`(?s)memfd:respawn-up.*?\nRss: +(\d+) kB`).FindAllStringSubmatch(string(smaps),
		-1) {
		kb, _ := strconv.Atoi(m[1])
		n += kb << 10
	}
	return n
}

func TestAnIdleWorkerGivesBackWhatABurstOfLargeResultsTook(t *testing.T) {
	g := NewWithT(t)
	const size = 20 << 20
	p := start(t, pool.Config{Size: 1}.KeepingFor(20*time.Millisecond))
	pid := p.Workers()[0].PID
	took := func() int { return upMemory(g, pid) } // others of this process may still be on loan
	for value := range byte(2) {                   // and again: what it gave back it takes once more
		v, err := filled.Call(bound(t), via(p), fill{size, value + 1})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect([]byte{v[0], v[size/2], v[size-1]}).To(HaveEach(value + 1))
		g.Eventually(took).WithTimeout(20 * time.Second).Should(BeNumerically("<", 1<<20))
	}
	g.Expect(p.Workers()[0].PID).To(Equal(pid))
}

func TestWhatIsOnLoanIsNotGivenBack(t *testing.T) {
	g := NewWithT(t)
	const size = 8 << 20
	p := start(t, pool.Config{Size: 1}.KeepingFor(time.Millisecond))
	if via(p) != pool.Runner(p) {
		t.Skip("a Remote lends nothing")
	}
	l, err := pool.Borrow(bound(t), p, filled, fill{size, 1})
	g.Expect(err).NotTo(HaveOccurred())
	g.Consistently(func() byte { return min(l.Bytes()[0], l.Bytes()[size-1]) }).WithTimeout(50 * time.Millisecond).
		Should(BeEquivalentTo(1))
	l.Release()
	g.Eventually(func() int { return upMemory(g, p.Workers()[0].PID) }).WithTimeout(20 * time.Second).
		Should(BeNumerically("<", 1<<20))
}

func TestNothingIsGivenBackUnderATaskThatMayWriteThere(t *testing.T) {
	g := NewWithT(t)
	const size = 12 << 20
	p := start(t, pool.Config{Size: 1}.KeepingFor(time.Millisecond))
	for value := range byte(30) {
		v, err := filled.Call(bound(t), via(p), fill{size, value + 1})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(bytes.Count(v, []byte{value + 1})).To(Equal(size))
	}
}
