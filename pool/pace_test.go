package pool

import (
	"testing"
	"testing/synctest"
	"time"

	. "github.com/onsi/gomega"
)

// Figures in, a pace out: each row is a pool at the moment at which a call is queued.
func TestThePaceOfACallFollowsFromTheFigures(t *testing.T) {
	const now = time.Minute
	near, tiny := deferNear, tinyTask-1
	for name, c := range map[string]struct {
		pacer pacer
		gap   time.Duration // since the call before
		load  load
		want  pace
	}{
		"a call that comes alone":         {pacer{}, time.Second, load{queued: 1}, paceNow},
		"one of a few that come fast":     {pacer{rapid: rapidRun - 2}, rapidGap - 1, load{queued: 1}, paceNow},
		"one more of many that come fast": {pacer{rapid: rapidRun - 1}, rapidGap - 1, load{queued: 1}, paceCoalesce},
		"many came fast, and then it took a while": {
			pacer{rapid: 100},
			rapidGap,
			load{queued: 1},
			paceNow,
		},
		"tiny tasks while a worker is about to answer": {
			pacer{cost: tiny},
			time.Second,
			load{queued: 1, near: near},
			paceDefer,
		},
		"tiny tasks that come fast while a worker is about to answer": {
			pacer{cost: tiny, rapid: 100},
			0,
			load{queued: 1, near: near},
			paceDefer,
		},
		"tiny tasks while too few workers are about to answer": {
			pacer{cost: tiny},
			time.Second,
			load{queued: 1, near: near - 1},
			paceNow,
		},
		"tasks that are not tiny": {pacer{cost: tinyTask}, time.Second, load{queued: 1, near: near}, paceNow},
		"tasks that are not tiny and come fast": {
			pacer{cost: tinyTask, rapid: 100},
			0,
			load{queued: 1, near: near},
			paceCoalesce,
		},
		"the last tiny task that is deferred": {
			pacer{cost: tiny},
			time.Second,
			load{queued: deferUnder - 1, near: near},
			paceDefer,
		},
		"so many tiny tasks that another worker is woken": {
			pacer{cost: tiny},
			time.Second,
			load{queued: deferUnder, near: near},
			paceNow,
		},
		"many tiny tasks that come fast, too many to be deferred": {
			pacer{cost: tiny, rapid: 100},
			0,
			load{queued: deferUnder, near: near},
			paceCoalesce,
		},
		"somebody waits for room, which does not make a call more slow": {
			pacer{},
			time.Second,
			load{queued: 1, blocked: 1},
			paceNow,
		},
	} {
		t.Run(name, func(t *testing.T) {
			g, p := NewWithT(t), c.pacer
			p.last = now - c.gap
			g.Expect(p.queued(now, false, c.load)).To(Equal(c.want))
			g.Expect(p.last).To(Equal(now))
			g.Expect(p.coalescing).To(Equal(c.want == paceCoalesce))
			g.Expect(p.deferring).To(Equal(c.want == paceDefer))
		})
	}
}

func TestWhatIsDeferredIsOverdueATickAfterItBegan(t *testing.T) {
	g, p := NewWithT(t), pacer{}
	l := load{queued: 1, near: deferNear}
	g.Expect(p.overdue(time.Hour)).To(BeFalse(), "nothing is deferred")
	g.Expect(p.queued(time.Second, false, l)).To(Equal(paceDefer))
	g.Expect(p.queued(time.Second+keeperTick/2, false, l)).To(Equal(paceDefer))
	g.Expect(p.overdue(time.Second + keeperTick - 1)).To(BeFalse())
	g.Expect(p.overdue(time.Second+keeperTick)).To(BeTrue(), "counted from the first")
	g.Expect(p.overdue(time.Second+keeperTick)).To(BeFalse(), "it is not deferred any more")

	p.queued(2*time.Second, false, l)
	p.answered(1)
	g.Expect(p.overdue(time.Hour)).To(BeFalse(), "a worker has answered")
}

func TestSeveralCallersWhoAreAnsweredAreWaitedForOnce(t *testing.T) {
	g, p := NewWithT(t), pacer{}
	g.Expect(p.answered(1)).To(Equal(paceNow))
	g.Expect(p.answered(2)).To(Equal(paceCoalesce))
	g.Expect(p.answered(2)).To(Equal(paceNow), "the dispatcher is on its way")
	few := load{queued: 1}
	g.Expect(p.keeps(few)).To(BeTrue())
	g.Expect(p.keeps(load{queued: 1, blocked: 1})).To(BeFalse(), "somebody waits for room")
	g.Expect(p.keeps(load{queued: deferUnder})).To(BeFalse())
	g.Expect(p.coalesced(time.Second, few)).To(Equal(paceNow))
	g.Expect(p.keeps(few)).To(BeFalse())
	p.coalescing = true
	g.Expect(p.coalesced(time.Second, load{queued: 1, near: deferNear})).To(Equal(paceDefer))
}

// Else all callers would wait for one worker, and it for all of them.
func TestTheFirstOfManyCoalescedCallsLeaveWhileNobodyIsAtWork(t *testing.T) {
	staged(t, Config{Size: 1}, func(g *WithT, s *simulation, p *Pool) {
		st := p.lock()
		st.pacer.coalescing = true // and the dispatcher's goroutine is not on its way
		st.unlock()
		sent := func() int {
			synctest.Wait()
			st := p.lock()
			defer st.unlock()
			return st.slots[0].worker.flight.count
		}
		for range deferUnder - 1 {
			s.task(time.Hour)
		}
		g.Expect(sent()).To(BeZero(), "more are coming")
		s.task(time.Hour)
		g.Expect(sent()).To(BeNumerically(">", 0))
	})

	g, p := NewWithT(t), pacer{coalescing: true}
	g.Expect(p.begins(load{queued: deferUnder - 1})).To(BeFalse())
	g.Expect(p.begins(load{queued: deferUnder})).To(BeTrue())
	g.Expect(p.begins(load{queued: deferUnder, near: 1})).To(BeFalse(), "a worker is about to answer")
}

func TestARowOfLoneCallsEndsWithOneThatIsNotAloneOrLate(t *testing.T) {
	g, p := NewWithT(t), pacer{}
	at := time.Second
	for range 3 {
		at += directGap - 1
		p.queued(at, true, load{queued: 1})
	}
	g.Expect(p.lone).To(Equal(2), "the first followed nobody")
	p.queued(at+directGap, true, load{queued: 1})
	g.Expect(p.lone).To(BeZero())
	p.queued(at+directGap+1, true, load{queued: 1})
	p.queued(at+directGap+2, false, load{queued: 2})
	g.Expect(p.lone).To(BeZero())
}

func TestTheCostOfATaskIsAnAverageThatMoves(t *testing.T) {
	g, p := NewWithT(t), pacer{}
	for range 100 {
		p.learn(8 * time.Millisecond)
	}
	g.Expect(p.cost).To(BeNumerically("~", 8*time.Millisecond, time.Microsecond))
	p.learn(0)
	g.Expect(p.cost).To(BeNumerically("~", 7*time.Millisecond, time.Microsecond))
}

func TestTinyTasksAreLeftToAsManyWorkersAsTheProcessorsCanRun(t *testing.T) {
	for name, c := range map[string]struct {
		pacer pacer
		load  load
		want  bool
	}{
		"nobody is about to answer":     {pacer{}, load{queued: 1000}, false},
		"one too few":                   {pacer{}, load{queued: 1000, near: enoughNear - 1}, false},
		"as many as can run, and a few": {pacer{}, load{queued: 1000, near: enoughNear}, true},
		"however many are queued":       {pacer{}, load{queued: 1 << 20, near: enoughNear}, true},
		"tasks that are not tiny":       {pacer{cost: tinyTask}, load{queued: 1000, near: 1000}, false},
		"some were found to run what is not": {
			pacer{doubt: 1},
			load{queued: 1000, near: 2*enoughNear - 1},
			false,
		},
		"twice as many, then": {pacer{doubt: 1}, load{queued: 1000, near: 2 * enoughNear}, true},
		"found so time and again: all of the largest": {
			pacer{doubt: maxDoubt},
			load{queued: 1000, near: maxSize},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(c.pacer.enough(c.load)).To(Equal(c.want))
		})
	}
}

func TestDoubtGrowsWhileLongTasksAreFoundAndEndsWithTheFirstLookThatFindsNone(t *testing.T) {
	g, p := NewWithT(t), pacer{}
	for n := range 2 * maxDoubt {
		p.looked(true)
		g.Expect(p.doubt).To(Equal(min(n+1, maxDoubt)))
	}
	p.looked(false)
	g.Expect(p.doubt).To(BeZero())
}

// A worker that had no processor for a few milliseconds says that its tasks took so long.
func TestOneBatchThatSeemsDearChangesLittleAndManyDo(t *testing.T) {
	g := NewWithT(t)
	p, w := pacer{}, worker{workload: workload{window: maxWindow}}
	batch := func(tasks int, each time.Duration) {
		w.settled += tasks
		per, warm := w.learn(tasks, time.Duration(tasks)*each)
		if warm {
			p.learn(per)
		}
	}
	for range 20 {
		batch(100, 100*time.Nanosecond)
	}
	g.Expect(w.window).To(Equal(maxWindow))

	batch(10, 300*time.Microsecond)
	g.Expect(p.cost).To(BeNumerically("<", tinyTask))
	g.Expect(w.window).To(BeNumerically(">=", maxWindow/2))

	for range 12 {
		batch(1, 300*time.Microsecond)
	}
	g.Expect(p.cost).To(BeNumerically(">", tinyTask))
	g.Expect(w.window).To(BeNumerically("<=", 5))
}
