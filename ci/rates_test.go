package ci

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/reports"
)

var (
	trials = flag.Int("trials", 1000, "how many gates each row of TestTheRatesOfTheGate is over")
	table  = flag.Bool("table", false, "write the rates to docs/gate.md")
)

// host is what a simulated side of a comparison is made of. Times are lognormal; each sigma is of their logarithm.
type host struct {
	runs, deaths int
	sigma        float64 // of the runs, and half of it of the deaths within one
	slow         float64 // by how much slower recovery is
	hour         float64 // sigma of the host's speed from one side to the next
	unbound      bool    // recovery does not depend on the host's speed, though the floors do
	outliers     int     // so many runs take far as long
	far          float64
	hiccups      float64 // the share of deaths that take far as long
}

// made is one side: runs that were made in one hour.
func (h host) made(rng *rand.Rand, at time.Time) (list []*reports.Report) {
	speed := math.Exp(h.hour * rng.NormFloat64())
	for n := range h.runs {
		run := h.slow * math.Exp(h.sigma*rng.NormFloat64())
		if n < h.outliers {
			run *= h.far
		}
		if !h.unbound {
			run *= speed
		}
		r := &reports.Report{
			Facts: reports.Facts{
				Scenario: "a", Started: at.Add(time.Duration(n)),
				Floors: map[string]float64{"spawn": 0.004 * speed * math.Exp(0.05*rng.NormFloat64())},
			},
			Result: check.Result{Verdict: reports.Pass},
		}
		for range h.deaths {
			took := 0.01 * run * math.Exp(h.sigma/2*rng.NormFloat64())
			if h.deaths == 1 {
				took = 0.01 * run
			}
			if rng.Float64() < h.hiccups {
				took *= h.far
			}
			r.Recoveries = append(r.Recoveries, took)
		}
		list = append(list, r)
	}
	return list
}

// setting is one row of the table.
type setting struct {
	what          string
	before, after host
	releases      []float64 // how slow each release of the baseline is; nil: one, as before says
	most, least   float64   // share of red gates that is allowed
	blind         bool      // nine in ten of the gates that are not red must say that they could not have seen it
}

func settings() (list []setting) {
	still := func(what string, h host) {
		h.runs, h.slow = 6, 1
		list = append(list, setting{what: "nothing changed: " + what, before: h, after: h, most: 0.005})
	}
	for _, sigma := range []float64{0.1, 0.2, 0.5, 1} {
		still(fmt.Sprintf("σ %g", sigma), host{deaths: 5, sigma: sigma})
	}
	still("σ 0.2, one death a run", host{deaths: 1, sigma: 0.2})
	still("σ 0.5, one death a run", host{deaths: 1, sigma: 0.5})
	still("σ 0.2, and the host's speed by σ 0.3", host{deaths: 5, sigma: 0.2, hour: 0.3})
	still("the same, where recovery does not depend on the host", host{deaths: 5, sigma: 0.2, hour: 0.3, unbound: true})
	still("σ 0.2, one death in 100 takes 10×", host{deaths: 20, sigma: 0.2, hiccups: 0.01, far: 10})
	still("σ 0.2, one run in six takes 10×", host{deaths: 5, sigma: 0.2, outliers: 1, far: 10})

	changed := func(what string, least float64, before, after host) {
		before.runs, after.runs = 6, 6
		if before.slow == 0 {
			before.slow = 1
		}
		list = append(list, setting{what: what, before: before, after: after, most: 1, least: least})
	}
	for _, c := range []struct{ sigma, slow, least float64 }{
		{0.1, 2, 0.99}, {0.2, 2, 0.9}, {0.3, 2, 0}, {0.5, 2, 0}, {0.5, 4, 0.7}, {1, 2, 0},
	} {
		changed(fmt.Sprintf("%g× as slow: σ %g", c.slow, c.sigma), c.least, host{deaths: 5, sigma: c.sigma},
			host{deaths: 5, sigma: c.sigma, slow: c.slow})
		list[len(list)-1].blind = c.sigma >= 0.5 && c.slow == 2
	}
	changed("2× as slow: σ 0.2, one death a run", 0.9, host{deaths: 1, sigma: 0.2},
		host{deaths: 1, sigma: 0.2, slow: 2})
	changed("2× as slow: σ 0.2, and the host's speed by σ 0.3", 0.6, host{deaths: 5, sigma: 0.2, hour: 0.3},
		host{deaths: 5, sigma: 0.2, hour: 0.3, slow: 2})
	changed("3× as slow: σ 0.2, and the host's speed by σ 0.3", 0.9, host{deaths: 5, sigma: 0.2, hour: 0.3},
		host{deaths: 5, sigma: 0.2, hour: 0.3, slow: 3})
	for _, deaths := range []int{1, 5} {
		one := fmt.Sprintf(", %d a run", deaths)
		changed("100× as slow, and a run of the baseline took 1000×: deaths"+one, 0.99,
			host{deaths: deaths, sigma: 0.2, outliers: 1, far: 1000}, host{deaths: deaths, sigma: 0.2, slow: 100})
		changed("two of six runs take 1000×: deaths"+one, 0.99, host{deaths: deaths, sigma: 0.2},
			host{deaths: deaths, sigma: 0.2, slow: 1, outliers: 2, far: 1000})
	}
	list = append(list, setting{
		what:   "two of six runs take 1000×, and a run of the baseline 5×: deaths, 1 a run",
		before: host{runs: 6, deaths: 1, sigma: 0.2, slow: 1, outliers: 1, far: 5},
		after:  host{runs: 6, deaths: 1, sigma: 0.2, slow: 1, outliers: 2, far: 1000}, most: 1, least: 0.99,
	})
	changed("one death in ten takes 20×: 20 a run", 0.95, host{deaths: 20, sigma: 0.2},
		host{deaths: 20, sigma: 0.2, slow: 1, hiccups: 0.1, far: 20})
	ratchet := host{runs: 6, deaths: 5, sigma: 0.2, slow: 1.45 * 1.45}
	list = append(list,
		setting{
			what:   "1.45× as slow as the release before: that one alone",
			before: host{runs: 6, deaths: 5, sigma: 0.2, slow: 1.45}, after: ratchet, most: 1,
		},
		setting{
			what: "the same with the release before that one, 2.1× in all", releases: []float64{1, 1.45},
			before: ratchet, after: ratchet, most: 1, least: 0.85,
		},
	)
	ratchet.slow *= 1.45
	list = append(list, setting{
		what: "and with one more, 3× in all", releases: []float64{1, 1.45, 1.45 * 1.45}, before: ratchet,
		after: ratchet, most: 1, least: 0.99,
	})
	return list
}

// rate is what became of many gates of one setting.
type rate struct{ red, told, missed int }

func (s setting) try(rng *rand.Rand, n int) (r rate) {
	at := time.Unix(0, 0)
	truth := s.after.slow / s.before.slow
	for range n {
		var baseline []Release
		if s.releases == nil {
			baseline = []Release{{Runs: s.before.made(rng, at)}}
		}
		for i, slow := range s.releases {
			h := s.before
			h.slow = slow
			baseline = append(baseline, Release{fmt.Sprint("v", i), h.made(rng, at.Add(time.Duration(i+1)*time.Hour))})
		}
		c := compare(s.after.made(rng, at.Add(time.Hour*24)), baseline, Regression{})
		switch {
		case c.Red:
			r.red++
		case c.Detects == 0 || c.Detects > truth:
			r.told++
		default:
			r.missed++
		}
	}
	return r
}

// The rates are what the gate promises, and the table in docs/gate.md is of them.
func TestTheRatesOfTheGate(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	const seed = 1
	var b strings.Builder
	fmt.Fprintf(&b, "| six runs a side | red | not red, and said to be too blind for it | not red |\n"+
		"| --- | ---: | ---: | ---: |\n")
	for i, s := range settings() {
		n := *trials
		if s.most < 1 {
			n *= 2
		}
		r := s.try(rand.New(rand.NewPCG(seed, uint64(i))), n)
		share := func(k int) float64 { return float64(k) / float64(n) }
		row := fmt.Sprintf("| %s | %.1f %% | %.1f %% | %.1f %% |", s.what, 100*share(r.red), 100*share(r.told),
			100*share(r.missed))
		if s.most < 1 {
			row = fmt.Sprintf("| %s | %.1f %% | | %.1f %% |", s.what, 100*share(r.red), 100*share(r.told+r.missed))
		}
		t.Log(row)
		fmt.Fprintln(&b, row)
		g.Expect(share(r.red)).To(BeNumerically("<=", s.most), s.what)
		g.Expect(share(r.red)).To(BeNumerically(">=", s.least), s.what)
		if s.blind {
			g.Expect(float64(r.told)).To(BeNumerically(">=", 0.9*float64(r.told+r.missed)), s.what)
		}
	}
	const page, begin, end = "../docs/gate.md", "<!-- rates -->\n", "<!-- /rates -->\n"
	text, err := os.ReadFile(page)
	g.Expect(err).NotTo(HaveOccurred())
	before, rest, ok := strings.Cut(string(text), begin)
	g.Expect(ok).To(BeTrue(), page)
	old, after, ok := strings.Cut(rest, end)
	g.Expect(ok).To(BeTrue(), page)
	if *table {
		g.Expect(os.WriteFile(page, []byte(before+begin+b.String()+end+after), 0o644)).To(Succeed())
		return
	}
	if flag.Lookup("trials").DefValue == fmt.Sprint(*trials) {
		g.Expect(old).To(Equal(b.String()), "make gate-rates writes the table")
	}
}
