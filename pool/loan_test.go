package pool_test

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/types"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// fill is so many bytes of one value, made by the worker.
type fill struct {
	Size  int
	Value byte
}

var filled = pool.Register("filled", func(_ context.Context, f fill) (pool.Lent, error) {
	return bytes.Repeat([]byte{f.Value}, f.Size), nil
})

// lendings are the two ways in which a worker lends: bytes of its own, and a part of its argument.
var lendings = map[string]func(*testing.T, pool.Runner, byte) *pool.Loan{
	"made by the worker": func(t *testing.T, r pool.Runner, value byte) *pool.Loan {
		l, err := pool.Borrow(bound(t), r, filled, fill{loanSize, value})
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		return l
	},
	"of the argument": func(t *testing.T, r pool.Runner, value byte) *pool.Loan {
		l, err := pool.Borrow(bound(t), r, echoLent, bytes.Repeat([]byte{value}, loanSize))
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		return l
	},
}

const loanSize = 1 << 20

func eachLending(t *testing.T, size int, test func(g *WithT, p *pool.Pool, borrow func(byte) *pool.Loan)) {
	for name, borrow := range lendings {
		t.Run(name, func(t *testing.T) {
			p := start(t, pool.Config{Size: size})
			if via(p) != pool.Runner(p) {
				t.Skip("a Remote lends nothing")
			}
			test(NewWithT(t), p, func(value byte) *pool.Loan { return borrow(t, p, value) })
		})
	}
}

// all tells whether so many bytes have that value.
func all(value byte) types.GomegaMatcher {
	return WithTransform(func(b pool.Lent) bool {
		return len(b) == loanSize && bytes.Count(b, []byte{value}) == loanSize
	}, BeTrue())
}

func TestALoanIsTheMemoryThatTheResultCameIn(t *testing.T) {
	takes.Seconds(t)
	eachLending(t, 1, func(g *WithT, _ *pool.Pool, borrow func(byte) *pool.Loan) {
		l := borrow(1)
		g.Expect(l.Bytes()).To(all(1))
		kept := l.Bytes() // as nobody may
		l.Release()
		g.Expect(l.Bytes()).To(BeNil())
		defer borrow(2).Release()
		g.Expect(kept).To(all(2), "the result was copied")
	})
}

func TestALoanKeepsItsBytesWhileItsWorkerGoesOn(t *testing.T) {
	takes.Seconds(t)
	eachLending(t, 1, func(g *WithT, _ *pool.Pool, borrow func(byte) *pool.Loan) {
		first := borrow(1)
		defer first.Release()
		for value := byte(2); value < 6; value++ {
			l := borrow(value)
			kept := l.Bytes()
			g.Expect(kept).To(all(value))
			l.Release()
			borrow(value + 10).Release()
			g.Expect(kept).To(all(value), "it was lent beside the first")
			g.Expect(first.Bytes()).To(all(1))
		}
	})
}

func TestALoanThatIsReleasedTwiceTakesNoOtherAway(t *testing.T) {
	takes.Seconds(t)
	eachLending(t, 1, func(g *WithT, _ *pool.Pool, borrow func(byte) *pool.Loan) {
		first := borrow(1)
		first.Release()
		second := borrow(2)
		first.Release()
		borrow(3).Release()
		borrow(4).Release()
		g.Expect(second.Bytes()).To(all(2))
		second.Release()
		second.Release()
	})
}

// shared is how much memory that workers share with this process it has touched, or mapped.
func shared(t *testing.T, what string) (bytes int) {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, m := range regexp.MustCompile(`(?s)memfd:respawn-(?:down|up).*?\n`+what+`: +(\d+) kB`).
		FindAllStringSubmatch(string(smaps), -1) {
		kb, _ := strconv.Atoi(m[1])
		bytes += kb << 10
	}
	return bytes
}

func TestLoansThatAreNeverReleasedHoldNothingUpAndTakeBoundedMemory(t *testing.T) {
	takes.Seconds(t)
	eachLending(t, 1, func(g *WithT, _ *pool.Pool, borrow func(byte) *pool.Loan) {
		var forgotten []*pool.Loan
		for value := range byte(20) {
			forgotten = append(forgotten, borrow(value))
		}
		for value, l := range forgotten {
			g.Expect(l.Bytes()).To(all(byte(value)))
		}
		g.Expect(shared(t, "Rss")).To(BeNumerically("<", 2*2*(loanSize+1<<16)), "two places in each arena")
		runtime.KeepAlive(forgotten)
		forgotten = nil
		g.Eventually(func() bool { // the collector gives the one that is lent back
			runtime.GC()
			l := borrow(1)
			kept := l.Bytes()
			l.Release()
			l = borrow(2)
			defer l.Release()
			return kept[0] == 2
		}, patience).Should(BeTrue())
	})
}

func TestALoanOutlivesItsWorkerAndItsPool(t *testing.T) {
	takes.Seconds(t)
	eachLending(t, 1, func(g *WithT, p *pool.Pool, borrow func(byte) *pool.Loan) {
		ofDead := borrow(1)
		g.Expect(killPID(p.Workers()[0].PID, syscall.SIGKILL)).To(Succeed())
		g.Eventually(func() int { return int(p.Stats().Exits) }, patience).Should(Equal(1))
		ofClosed := borrow(2)
		borrow(3).Release()
		g.Expect(ofDead.Bytes()).To(all(1))
		g.Expect(p.Close()).To(Succeed())
		g.Expect(ofDead.Bytes()).To(all(1))
		g.Expect(ofClosed.Bytes()).To(all(2))
		ofDead.Release()
		g.Expect(ofClosed.Bytes()).To(all(2))
		ofClosed.Release()
		g.Eventually(func() int { return shared(t, "Size") }, patience).Should(BeZero(),
			"what was lent is mapped still")
	})
}

func TestWhatIsNotLentIsACopyThatIsReleasedAlike(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for _, r := range []pool.Runner{p, pool.NewRemote(p)} {
		for _, size := range []int{0, 1, 100, 3 << 20} {
			want := bytes.Repeat([]byte{7}, size)
			l, err := pool.Borrow(bound(t), r, echoLent, want)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(bytes.Equal(l.Bytes(), want)).To(BeTrue(), "%d bytes", size)
			l.Release()
			l.Release()
		}
	}
	_, err := pool.Borrow(bound(t), p, filled, fill{Size: -1})
	g.Expect(err).To(BeAssignableToTypeOf(&pool.PanicError{}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = pool.Borrow(ctx, p, echoLent, nil)
	g.Expect(err).To(MatchError(context.Canceled))
}

func TestALoanIsACopyWhereWorkersShareNoMemory(t *testing.T) {
	cfg, _ := pool.InProcess(pool.Config{Size: 1})
	p, err := pool.New(bound(t), cfg)
	g := NewWithT(t)
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Close()
	l, err := pool.Borrow(bound(t), p, echoLent, []byte(strings.Repeat("x", 100_000)))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(l.Bytes()).To(HaveLen(100_000))
	l.Release()
}
