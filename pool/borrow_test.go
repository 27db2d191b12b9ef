package pool_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

var repeat = pool.Register("repeat", func(_ context.Context, s string) (string, error) { return s + s, nil })

// Large bytes and strings are lent rather than copied where nobody can notice: this is for those who would.
func TestLargeValuesKeepTheirBytesWhateverTheirOwnersDoNext(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	want := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)

	arg := bytes.Clone(want)
	stubborn.Submit(bound(t), p, 20*time.Millisecond) // keeps the next one in the queue
	f := echo.Submit(bound(t), p, arg)
	clear(arg) // the submitter has its slice back at once
	first, err := f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bytes.Equal(first, want)).To(BeTrue())
	clear(first) // each Result is its caller's own
	second, err := f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bytes.Equal(second, want)).To(BeTrue())

	back, err := echo.Call(bound(t), p, want)
	g.Expect(err).NotTo(HaveOccurred())
	again, err := echo.Call(bound(t), p, want)
	g.Expect(err).NotTo(HaveOccurred())
	clear(back) // and so is each Call's
	g.Expect(bytes.Equal(again, want)).To(BeTrue())

	g.Expect(repeat.Call(bound(t), p, strings.Repeat("ü", 100_000))).To(Equal(strings.Repeat("ü", 200_000)))
}

// keeper tells whether what it kept of the call before still is as it was, and keeps its argument.
func keeper[T ~[]byte]() func(context.Context, T) (bool, error) {
	var kept T
	var was byte
	return func(_ context.Context, arg T) (bool, error) {
		same := len(kept) == 0 || kept[0] == was
		kept, was = arg, arg[0]
		return same, nil
	}
}

var (
	keepLent = pool.Register("keep-lent", keeper[pool.Lent]())
	keepOwn  = pool.Register("keep-own", keeper[[]byte]())
	echoLent = pool.Register("echo-lent", func(_ context.Context, b pool.Lent) (pool.Lent, error) { return b, nil })
)

func TestALentArgumentIsTheMemoryItCameInAndAnOwnOneIsACopy(t *testing.T) {
	for _, size := range []int{100, 1 << 20} { // in the socket, and by the arena
		g, p := NewWithT(t), start(t, pool.Config{Size: 1})
		one, two := bytes.Repeat([]byte{1}, size), bytes.Repeat([]byte{2}, size)
		g.Expect(keepLent.Call(bound(t), p, one)).To(BeTrue())
		g.Expect(keepLent.Call(bound(t), p, two)).To(BeFalse(), "%d bytes were copied", size)
		g.Expect(keepOwn.Call(bound(t), p, one)).To(BeTrue())
		g.Expect(keepOwn.Call(bound(t), p, two)).To(BeTrue(), "%d bytes were lent", size)
	}
}

func TestLentBytesComeBackAsTheirReceiversOwn(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for _, size := range []int{0, 1, 100, 100_000, 3 << 20} {
		want := bytes.Repeat([]byte{7}, size)
		back, err := echoLent.Call(bound(t), p, want)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect([]byte(back)).To(Equal(want))
		clear(back)
		f := echoLent.Submit(bound(t), p, want)
		first, err := f.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		clear(first)
		g.Expect(f.Result(bound(t))).To(Equal(pool.Lent(want)))
	}
	g.Expect(echoLent.Call(bound(t), p, nil)).To(BeEmpty())
}

// middle is what lies between the first and the last bytes of its argument.
type middle struct{ First, Last int }

var (
	cutAt  atomic.Pointer[middle] // of the worker
	setCut = pool.Register("set-cut", func(_ context.Context, m middle) (bool, error) { cutAt.Store(&m); return true, nil })
	cut    = pool.Register("cut", func(_ context.Context, b pool.Lent) ([]byte, error) {
		return b[cutAt.Load().First:cutAt.Load().Last], nil
	})
)

// A part of a lent argument goes back without a copy, when it is large; which parts are is the parent's to work out again.
func TestAPartOfALentArgumentComesBackWhole(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	const size = 1 << 20
	arg := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(arg)
	before := bytes.Clone(arg)
	for _, m := range []middle{{0, size}, {0, size - 1}, {1, size}, {5, size / 2}, {size / 2, size}, {7, 7 + 64<<10}, {7, 7 + 64<<10 - 1}, {9, 9}, {0, 70_000}} {
		g.Expect(setCut.Call(bound(t), p, m)).To(BeTrue())
		for range 2 {
			back, err := cut.Call(bound(t), p, arg)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(bytes.Equal(back, arg[m.First:m.Last])).To(BeTrue(), "%v", m)
			clear(back)
		}
	}
	g.Expect(bytes.Equal(arg, before)).To(BeTrue())
	g.Expect(p.Stats().Rejected).To(BeZero())
}

// raw takes its own encoding and, against the rule, does not copy it.
type raw struct{ encoding []byte }

func (r *raw) UnmarshalCBOR(data []byte) error { r.encoding = data; return nil }
func (r raw) MarshalCBOR() ([]byte, error)     { return r.encoding, nil }

var encodingOf = pool.Register("encoding-of", func(_ context.Context, r raw) ([]byte, error) { return r.encoding, nil })

// Before the bytes of a part its head is written: for the very first bytes of an argument there is no room.
func TestAPartWithoutRoomForItsHeadIsCopied(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	encoding, err := pool.CBOR.Append(nil, &[][]byte{bytes.Repeat([]byte{7}, 100_000)})
	g.Expect(err).NotTo(HaveOccurred())
	back, err := encodingOf.Call(bound(t), p, raw{encoding})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bytes.Equal(back, encoding)).To(BeTrue())
	g.Expect(p.Stats().Rejected).To(BeZero())
}

func TestACancelledCallGivesItsLargeArgumentBack(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	arg := make([]byte, 8<<20)
	for range 8 { // cancelled at a different moment of the copying each time; the race detector looks on
		ctx, cancel := context.WithCancel(t.Context())
		before := echo.Submit(bound(t), p, make([]byte, 1<<20)) // has the arena
		go func() { <-before.Done(); cancel() }()               // while its answer's receiver copies the next argument
		_, _ = echo.Call(ctx, p, arg)
		arg[0]++ // it is its owner's again
	}
	g.Expect(echo.Call(bound(t), p, []byte("still here"))).To(Equal([]byte("still here")))
}
