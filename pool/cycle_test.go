package pool_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// chain can contain itself.
type chain struct {
	Next *chain
	Any  any
	At   time.Time
}

// hanging makes a chain of n links.
func hanging(n int) (c *chain) {
	for range n {
		c = &chain{Next: c}
	}
	return c
}

var (
	links = pool.Register("links", func(_ context.Context, c *chain) (n int, err error) {
		for ; c != nil; c = c.Next {
			n++
		}
		return n, nil
	})
	ring = pool.Register("ring", func(context.Context, int) (*chain, error) {
		c := hanging(1)
		c.Next = c
		return c, nil
	})
)

func TestAValueThatContainsItselfFailsItsCallerOnly(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1})
	before := p.Workers()[0].PID

	loop := hanging(3)
	loop.Next.Next.Next = loop
	through := &chain{}
	through.Any = []any{map[string]any{"x": through}}
	for _, c := range []*chain{loop, through} {
		var enc *pool.EncodeError
		_, err := links.Call(bound(t), p, c)
		g.Expect(err).To(MatchError(ContainSubstring("does it contain itself?")))
		g.Expect(errors.As(err, &enc)).To(BeTrue())
	}
	_, err := ring.Call(bound(t), p, 0)
	g.Expect(err).To(MatchError(ContainSubstring("does it contain itself?")))

	g.Expect(links.Call(bound(t), p, hanging(100))).To(Equal(100))
	g.Expect(p.Workers()[0].PID).To(Equal(before), "no worker was lost")
}
