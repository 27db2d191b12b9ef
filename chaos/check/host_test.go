package check_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// host is a look at a host of two CPUs that lasted so long and ends now. Others took so much of the CPU time, the run a
// tenth.
func (s *story) host(over time.Duration, others float64, change ...func(*history.Host)) *story {
	all := 2 * over
	share := func(of float64) time.Duration { return time.Duration(of * float64(all)) }
	h := history.Host{
		Over: over, CPUs: 2, Own: share(0.1), Others: share(others), Idle: share(0.9 - others), Pressure: -1,
		Late: []time.Duration{tick, 2 * tick},
	}
	for _, c := range change {
		c(&h)
	}
	return s.add(history.Event{Host: &h})
}

// busy is a look at a host that others take up.
func (s *story) busy(over time.Duration) *story { return s.host(over, 0.9) }

func (s *story) idle(over time.Duration) *story { return s.host(over, 0) }

const second = time.Second

// slow is a run in which a member came back only after that time, and the host was looked at all the while.
func slow(recovery time.Duration, look func(*story, time.Duration) *story) *story {
	s := calm()
	look(s, s.now)
	last := s.submit()
	s.strike(0, history.Confirmed, true)
	s.exit(0, "", history.Exit{Code: -1, Signal: "SIGKILL", Kind: "killed"})
	for range recovery / second {
		look(s.wait(second), second)
	}
	s.start(0).probe(0, 1).settle(last, history.OK, "").run(last, s.pids[1], s.now-2*tick, s.now-tick)
	look(s, 50*tick)
	return look(s.verify(4), 50*tick).stop().end()
}

func TestALimitOnTimeThatFailsOnAStarvedHostProvesNothing(t *testing.T) {
	for _, rule := range []string{
		"slot.recovery.max <= 2s", "slot.recovery.mean <= 2s", "pool.recovery.max <= 2s", "pool.below.max <= 2s",
		"pool.below.total <= 2s", "pool.ready.min >= 4", "tasks.wall <= 2s", "tasks.throughput >= 100/s",
		"tasks.throughput.during >= 10/s", "tasks.throughput.kept >= 50%", "load.achieved >= 50%",
	} {
		t.Run(rule, func(t *testing.T) {
			g := NewWithT(t)
			run := func(look func(*story, time.Duration) *story) check.Result {
				s := slow(5*second, look)
				s.h.Load.Rate = 1000
				return s.expect(rule).judge()
			}
			g.Expect(run((*story).idle).Verdict).To(Equal(check.Fail), "a host that was idle")
			r := run((*story).busy)
			g.Expect(r.Verdict).To(Equal(check.Inconclusive), show(r))
			g.Expect(r.Starved()).To(BeTrue(), show(r))
			g.Expect(r.Cause).To(And(HavePrefix(rule[:8]), ContainSubstring("the host was starved for 5."),
				ContainSubstring("others took 90% of its CPU time")))
			g.Expect(r.Metrics["host.starved"]).To(BeNumerically("~", 5, 0.3))
			for _, row := range r.Thresholds {
				g.Expect(row.Starved).To(Equal(row.Text == rule), row.Text)
			}
		})
	}
}

func TestOnlyTheTimeForWhichTheHostWasStarvedIsAnExcuse(t *testing.T) {
	for name, c := range map[string]struct {
		busy time.Duration // the first of the five seconds of the recovery
		want check.Verdict
	}{
		"most of it":          {4 * second, check.Inconclusive},
		"as much as it takes": {3 * second, check.Inconclusive},
		"too little of it":    {2 * second, check.Fail},
		"none of it":          {0, check.Fail},
	} {
		t.Run(name, func(t *testing.T) {
			at := time.Duration(0)
			s := slow(5*second, func(s *story, d time.Duration) *story {
				if d == second {
					at += d
				}
				if d == second && at <= c.busy {
					return s.busy(d)
				}
				return s.idle(d)
			})
			r := s.expect("slot.recovery.max <= 2100ms").judge()
			NewWithT(t).Expect(r.Verdict).To(Equal(c.want), show(r))
		})
	}
}

// Whoever breaks a limit on a calm host is not excused by a breach on a starved one.
func TestABreachInACalmTimeIsNotHiddenByOneInAStarvedTime(t *testing.T) {
	s := calm()
	for _, look := range []func(*story, time.Duration) *story{(*story).busy, (*story).idle} {
		s.strike(0, history.Confirmed, true)
		s.exit(0, "", history.Exit{Code: -1, Signal: "SIGKILL", Kind: "killed"})
		look(s.wait(3*second), 3*second)
		s.start(0).probe(0, s.faults)
	}
	r := s.verify(4).stop().end().expect("slot.recovery.max <= 1s").judge()
	NewWithT(t).Expect(r.Verdict).To(Equal(check.Fail), show(r))
}

func TestAStarvedHostExcusesNoBrokenPromise(t *testing.T) {
	for name, broken := range map[string]func(s *story){
		"a task lost":        func(s *story) { s.settle(s.submit(), history.Lost, "") },
		"a task unsettled":   func(s *story) { s.submit() },
		"a task hung":        func(s *story) { s.settle(s.submit(), history.Hung, "") },
		"a task failed":      func(s *story) { s.settle(s.submit(), history.Failed, "") },
		"a wrong value":      func(s *story) { s.settle(s.submit(), history.Wrong, "") },
		"a task done twice":  func(s *story) { s.work(1).run(s.task, s.pids[1], s.now, s.now+tick) },
		"an unexplained end": func(s *story) { s.exit(1, "", history.Exit{Code: 1}).start(1) },
		"a survivor ended":   func(s *story) { s.exit(1, "restart", history.Exit{}).start(1) },
		"a slot never back": func(s *story) {
			s.strike(1, history.Confirmed, true).exit(1, "", history.Exit{Code: -1, Signal: "SIGKILL", Kind: "killed"})
		},
		"an orphan": func(s *story) { s.orphans = 1 },
		"a zombie":  func(s *story) { s.zombies = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			s := calm().kill(0).busy(100 * tick).wait(second).busy(second)
			broken(s)
			s.busy(100 * tick).verify(4).wait(second).busy(second).stop().busy(100 * tick).end()
			r := s.expect("slot.recovery.max <= 1ms", "slot.recovery.p50 <= 1ms").judge()
			NewWithT(t).Expect(r.Verdict).To(Equal(check.Fail), show(r))
			NewWithT(t).Expect(r.Findings[0].Starved).To(BeFalse(), show(r))
		})
	}
}

// On a busy host a fault may not find its moment, and then what it should have led to does not come.
func TestFaultsMissedOnAStarvedHostBlameNobody(t *testing.T) {
	for name, c := range map[string]struct {
		look    func(*story, time.Duration) *story
		outcome history.FaultOutcome
		broken  func(*story)
		want    check.Verdict
	}{
		"starved": {(*story).busy, history.Missed, func(*story) {}, check.Inconclusive},
		"calm":    {(*story).idle, history.Missed, func(*story) {}, check.Fail},
		"refused": {(*story).busy, history.Refused, func(*story) {}, check.Fail},
		"starved, and a task lost": {
			(*story).busy, history.Missed,
			func(s *story) { s.settle(s.submit(), history.Lost, "") }, check.Fail,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := calm().kill(0).strike(1, c.outcome, false)
			s.h.Nemesis[0].Require = 2
			c.broken(s)
			c.look(s.wait(second), second).verify(4).stop().end()
			r := s.expect("pids.turnover == 2").judge()
			NewWithT(t).Expect(r.Verdict).To(Equal(c.want), show(r))
			NewWithT(t).Expect(r.Starved()).To(Equal(c.want == check.Inconclusive), show(r))
		})
	}
}

func TestWhenAHostIsStarved(t *testing.T) {
	limit := func(cpus float64, periods, throttled int64, others time.Duration) func(*history.Host) {
		return func(h *history.Host) {
			h.Limit = &history.CPULimit{CPUs: cpus, Periods: periods, Throttled: throttled, Others: others}
		}
	}
	for name, c := range map[string]struct {
		others  float64
		change  func(*history.Host)
		starved bool
	}{
		"idle":                              {0, nil, false},
		"others take all":                   {0.9, nil, true},
		"others take half, nobody waits":    {0.5, nil, false},
		"others take half, somebody waits":  {0.5, func(h *history.Host) { h.Pressure = second / 2 }, true},
		"others take half, a sleep is late": {0.5, func(h *history.Host) { h.Late = []time.Duration{20 * tick} }, true},
		"the target itself takes all, and everybody waits for it": {0, func(h *history.Host) {
			h.Own, h.Idle, h.Pressure, h.Late = 2*second, 0, second, []time.Duration{50 * tick}
		}, false},
		"the target takes all but what a neighbour has": {0.1, func(h *history.Host) {
			h.Own, h.Idle, h.Pressure, h.Late = 1800*tick, 0, second, []time.Duration{50 * tick}
		}, false},
		"other machines take half": {
			0,
			func(h *history.Host) { h.Stolen, h.Pressure = second, second }, true,
		},
		"only the sleeps are late": {
			0, func(h *history.Host) { h.Late = []time.Duration{2 * second} }, false,
		},
		"a tenth of a CPU, stopped again and again": {0, limit(0.1, 10, 9, 0), true},
		"a tenth of a CPU, hardly ever stopped":     {0, limit(0.1, 10, 1, 0), false},
		"two CPUs, used up by the target":           {0, limit(2, 10, 9, 0), false},
		"two CPUs, used up by others in the group":  {0, limit(2, 10, 9, second), true},
		"the CPUs are not known": {
			0.9,
			func(h *history.Host) { *h = history.Host{Over: second, Pressure: second} }, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := calm().kill(0).wait(second)
			if c.change == nil {
				c.change = func(*history.Host) {}
			}
			m := s.host(second, c.others, c.change).verify(4).stop().end().judge().Metrics
			NewWithT(t).Expect(m["host.starved"] > 0).To(Equal(c.starved))
		})
	}
}

func TestFiguresOfTheHost(t *testing.T) {
	g := NewWithT(t)
	s := calm().kill(0)
	s.h.Floors = map[string]float64{"spawn": 0.004}
	s.wait(second).host(second, 0.5, func(h *history.Host) {
		h.Stolen, h.Pressure = 200*tick, 250*tick
		h.Limit = &history.CPULimit{CPUs: 3, Periods: 10, Throttled: 4}
	})
	s.verify(4).stop().
		add(history.Event{Host: &history.Host{Pressure: -1, Floors: map[string]float64{"spawn": 0.006}}}).end()
	m := s.judge().Metrics
	for name, want := range map[string]float64{
		"own": 0.1, "others": 0.5, "steal": 0.1, "pressure.cpu": 0.25, "throttled": 0.4, "lateness.count": 2,
		"lateness.max": 0.002, "floor.change": 1.5,
	} {
		g.Expect(m["host."+name]).To(BeNumerically("~", want, 1e-9), name)
	}
}

// A condition that ends a run must have held for so long while the host was not starved.
func TestAStarvedHostEndsNoRun(t *testing.T) {
	for name, c := range map[string]struct {
		look    func(*story, time.Duration) *story
		tripped bool
	}{"starved": {(*story).busy, false}, "calm": {(*story).idle, true}} {
		g := NewWithT(t)
		s := calm().rules("abort", "pool.ready < 4 for 2s")
		live := check.NewLive(s.h)
		none := func(e *history.Sample) { e.Ready, e.Alive = 0, 0 }
		for range 5 {
			c.look(s.wait(second), second).sample(4, none)
		}
		for i, e := range s.events {
			live.Add(i+2, e)
		}
		_, tripped := live.Tripped()
		g.Expect(tripped).To(Equal(c.tripped), name)
	}
}
