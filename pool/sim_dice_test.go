package pool

import (
	"math"
	"math/rand/v2"
	"sync"
	"time"
)

// dice are one stream of chance, safe for concurrent use. Everything that happens beside something else has dice of its
// own, so that the order in which they are thrown does not matter.
type dice struct{ *rand.Rand }

// diceSource is a source with a lock.
type diceSource struct {
	mu  sync.Mutex
	pcg rand.PCG
}

func (s *diceSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pcg.Uint64()
}

// The streams of chance of one seed. Each worker has those from diceFault on for itself.
const (
	dicePlan = iota
	diceJitter
	diceOutside
	diceFault
	diceDeath
	diceKill
	diceToWorker
	diceToParent
	diceControl
	diceOutput
)

func newDice(seed uint64, stream, worker int) dice {
	s := &diceSource{}
	s.pcg.Seed(seed, uint64(worker)<<8|uint64(stream))
	return dice{rand.New(s)}
}

func (d dice) chance(p float64) bool { return d.Float64() < p }

func (d dice) from(low, high int) int { return low + d.IntN(high-low+1) }

// span is a duration between the two, each order of magnitude as likely as the others. Nanoseconds are drawn too, so that
// two things hardly ever happen at the same instant and a seed gives the same story every time.
func (d dice) span(low, high time.Duration) time.Duration {
	l, h := math.Log(float64(low)), math.Log(float64(high))
	return time.Duration(math.Exp(l + d.Float64()*(h-l)))
}

// weighted picks an index with a probability in proportion to its weight.
func (d dice) weighted(n int, weight func(int) int) int {
	total := 0
	for i := range n {
		total += weight(i)
	}
	at := d.IntN(total)
	for i := range n {
		if at -= weight(i); at < 0 {
			return i
		}
	}
	panic("unreachable: the weights add up")
}
