package shrink

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/respawn-go/respawn/scenarios"
)

// Candidate is an experiment: a plan, and what the scenario says of load and target. Zero values leave what the
// scenario has.
type Candidate struct {
	Strikes     []scenarios.Strike
	Size        int // members
	Concurrency int // callers of a closed loop
	Count       int // tasks in all
	Rate        int // submissions per second
	Settle      time.Duration
	NoWarmup    bool // there is no load before the steady state
}

// settings are what the candidate changes of the scenario, as for the command line's --set.
func (c Candidate) settings(s *scenarios.Scenario) (set []string) {
	if c.Size > 0 && c.Size != s.Size() {
		set = append(set, s.Resized(c.Size)...)
	}
	number := func(path string, n int) {
		if n > 0 {
			set = append(set, path+"="+strconv.Itoa(n))
		}
	}
	number("load.concurrency", c.Concurrency)
	number("load.count", c.Count)
	if c.Rate > 0 {
		set = append(set, fmt.Sprintf("load.rate=%d/s", c.Rate))
	}
	if c.Settle > 0 {
		set = append(set, "settle="+c.Settle.String())
	}
	if c.NoWarmup && s.Load != nil && s.Load.Warmup > 0 {
		set = append(set, "load.warmup=null")
	}
	return set
}

// key identifies the candidate among those of one search.
func (c Candidate) key() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // plain values
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// with is the candidate with other strikes.
func (c Candidate) with(strikes []scenarios.Strike) Candidate {
	c.Strikes = slices.Clone(strikes)
	return c
}

// change is the candidate with one of its strikes changed.
func (c Candidate) change(i int, change func(*scenarios.Strike)) Candidate {
	c = c.with(c.Strikes)
	change(&c.Strikes[i])
	return c
}
