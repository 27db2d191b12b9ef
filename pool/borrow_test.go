package pool_test

import (
	"bytes"
	"context"
	"strings"
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
