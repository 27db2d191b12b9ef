package chaos

import (
	"slices"
	"testing"
	"time"

	"github.com/onsi/gomega"
)

// crowd is four members: booting, idle, running and draining, the oldest last.
func crowd() []Member {
	at := func(age int) time.Time { return time.Unix(1000-int64(age), 0) }
	return []Member{
		{Slot: 0, PID: 100, State: Starting, Phase: "booting", Started: at(1)},
		{Slot: 1, PID: 101, State: Ready, Phase: "idle", Started: at(2)},
		{Slot: 2, PID: 102, State: Ready, Phase: "running", Started: at(3)},
		{Slot: 3, PID: 103, State: Stopping, Phase: "draining", Started: at(4)},
	}
}

func TestPicks(t *testing.T) {
	for _, c := range []struct {
		pick  Pick
		text  string
		slots []int
	}{
		{Pick{All: true}, "all", []int{1, 2}},
		{Pick{All: true, State: "idle"}, "all idle", []int{1}},
		{Pick{State: "busy"}, "random 1 busy", []int{2}},
		{Pick{State: "starting"}, "random 1 starting", []int{0}},
		{Pick{Random: 5}, "random 5", []int{1, 2}},
		{Pick{Percent: 50}, "percent 50%", []int{0}}, // one, whichever
		{Pick{Oldest: 1}, "oldest 1", []int{2}},
		{Pick{Newest: 1}, "newest 1", []int{0}},
		{Pick{Newest: 1, State: "ready"}, "newest 1 ready", []int{1}},
		{Pick{Slots: []int{0, 2}}, "slot 0 2", []int{0, 2}},
		{Pick{Slots: []int{9}}, "slot 9", nil},
		{Pick{Each: true}, "each", []int{2}}, // turn 2
		{Pick{Phase: "booting"}, "random 1 in phase booting", []int{0}},
	} {
		g := gomega.NewWithT(t)
		g.Expect(c.pick.Validate()).To(gomega.Succeed(), c.text)
		g.Expect(c.pick.String()).To(gomega.Equal(c.text))
		list := c.pick.candidates(crowd(), func(Member) bool { return false })
		var slots []int
		for _, chosen := range c.pick.choose(list, 2, 4, order{seed: 1}) {
			slots = append(slots, chosen.Slot)
			g.Expect(list[chosen.rank].Slot).To(gomega.Equal(chosen.Slot), "the rank is the place among the candidates")
		}
		if c.pick.Percent > 0 {
			g.Expect(slots).To(gomega.HaveLen(1))
			continue
		}
		g.Expect(slots).To(gomega.ConsistOf(c.slots), c.text)
	}
}

// Brokers are picked by their role alone, and by what they are to the others; whoever runs tasks is picked without one.
func TestPicksByRole(t *testing.T) {
	members := []Member{
		{Slot: 0, PID: 100, State: Ready, Role: Node, Phase: "idle"},
		{Slot: 1, PID: 101, State: Ready, Role: Node, Phase: "running"},
		{Slot: 2, PID: 102, State: Ready, Role: Broker, Phase: "follower"},
		{Slot: 3, PID: 103, State: Ready, Role: Broker, Phase: "leader"},
		{Slot: 4, PID: 104, State: Ready, Role: Broker, Phase: "catching-up"},
		{Slot: 5, PID: 105, State: Ready, Role: Owner},
		{Slot: 6, PID: 106, State: Ready, Role: Owner},
	}
	for _, c := range []struct {
		pick  Pick
		text  string
		slots []int
	}{
		{Pick{All: true}, "all", []int{0, 1}},
		{Pick{All: true, Role: Node}, "all node", []int{0, 1}},
		{Pick{All: true, Role: Broker}, "all broker", []int{2, 3, 4}},
		{Pick{Role: Broker, Phase: "leader"}, "random 1 broker in phase leader", []int{3}},
		{Pick{All: true, Role: Broker, Phase: "follower"}, "all broker in phase follower", []int{2}},
		{Pick{Random: 2, Role: Broker, Phase: "leader"}, "random 2 broker in phase leader", []int{3}},
		{Pick{Each: true, Role: Broker}, "each broker", []int{4}}, // turn 2
		{Pick{All: true, Role: Owner}, "all owner", []int{5, 6}},
		{Pick{Each: true, Role: Owner}, "each owner", []int{5}}, // turn 2 of 2 slots
		{Pick{Slots: []int{4}}, "slot 4", []int{4}},
	} {
		g := gomega.NewWithT(t)
		g.Expect(c.pick.Validate()).To(gomega.Succeed(), c.text)
		g.Expect(c.pick.String()).To(gomega.Equal(c.text))
		o, of := order{seed: 1}, 2
		switch c.pick.Role {
		case Broker:
			o.from, of = 2, 3
		case Owner:
			o.from, of = 5, 2
		}
		var slots []int
		for _, chosen := range c.pick.choose(c.pick.candidates(members, func(Member) bool { return false }),
			2%of, of, o) {
			slots = append(slots, chosen.Slot)
		}
		g.Expect(slots).To(gomega.ConsistOf(c.slots), c.text)
	}
	g := gomega.NewWithT(t)
	g.Expect(Pick{Phase: "leader"}.Validate()).To(gomega.MatchError(gomega.ContainSubstring("want role: broker")))
	g.Expect(Pick{Role: Broker, Phase: "running"}.Validate()).
		To(gomega.MatchError(gomega.ContainSubstring("want one of leader, follower, catching-up")))
	g.Expect(Pick{Role: Broker, State: "busy"}.Validate()).
		To(gomega.MatchError(gomega.ContainSubstring("a broker runs no tasks")))
	g.Expect(Pick{Role: Owner, Phase: "leader"}.Validate()).
		To(gomega.MatchError(gomega.ContainSubstring("an owner has none")))
	g.Expect(Pick{Role: Owner, State: "idle"}.Validate()).
		To(gomega.MatchError(gomega.ContainSubstring("an owner runs no tasks")))
	g.Expect(Pick{Role: "queen"}.Validate()).
		To(gomega.MatchError(gomega.ContainSubstring("want one of node, broker, owner")))
}

// The share is rounded up, but not by the error of its arithmetic.
func TestShareOfMembers(t *testing.T) {
	for _, c := range []struct{ percent, of, want int }{
		{14, 50, 7}, {28, 25, 7}, {15, 50, 8}, {1, 50, 1}, {100, 7, 7}, {7, 100, 7},
	} {
		list := make([]candidate, c.of)
		share := float64(c.percent) / 100 * 100 // by way of a scenario
		chosen := Pick{Percent: share}.choose(list, 0, c.of, order{seed: 1})
		gomega.NewWithT(t).Expect(chosen).To(gomega.HaveLen(c.want), "%d%% of %d", c.percent, c.of)
	}
}

// A member that is somebody's victim already is nobody else's.
func TestTakenMembersAreNotPicked(t *testing.T) {
	list := Pick{All: true}.candidates(crowd(), func(m Member) bool { return m.Slot == 1 })
	gomega.NewWithT(t).Expect(list).To(gomega.HaveLen(1))
}

// A replay on a late machine finds some victims still taken: the others are the recorded ones all the same.
func TestAReplayPicksTheRecordedSlotsAndNobodyTwice(t *testing.T) {
	g := gomega.NewWithT(t)
	list := Pick{Slots: []int{0, 1, 2}}.candidates(crowd(), func(m Member) bool { return m.Slot == 1 })
	slots := func(aims ...Aim) (slots []int) {
		for _, c := range again(aims, list) {
			slots = append(slots, c.Slot)
		}
		return slots
	}
	g.Expect(slots(Aim{Slot: 2, Rank: 2})).To(gomega.Equal([]int{2}), "it has rank 1 now")
	g.Expect(slots(Aim{Slot: 1, Rank: 1})).To(gomega.Equal([]int{2}), "taken: another one, by rank")
	g.Expect(slots(Aim{Slot: 0, Rank: 0}, Aim{Slot: 1, Rank: 1}, Aim{Slot: 2, Rank: 2})).To(gomega.Equal([]int{0, 2}))
}

func TestRandomPicksEverybodyInTheEnd(t *testing.T) {
	g := gomega.NewWithT(t)
	list := Pick{}.candidates(crowd(), func(Member) bool { return false })
	seen := map[int]int{}
	for seed := range uint64(100) {
		for _, c := range (Pick{}).choose(list, 0, 4, order{seed: seed}) {
			seen[c.Slot]++
		}
	}
	g.Expect(seen).To(gomega.HaveLen(2))
	g.Expect(seen[1]).To(gomega.BeNumerically("~", 50, 25))
}

func TestPickMistakesAreNamed(t *testing.T) {
	for text, p := range map[string]Pick{
		"want at most one":        {All: true, Random: 1},
		"a negative number":       {Oldest: -1},
		"want 0% to 100%":         {Percent: 101},
		"slots are counted":       {Slots: []int{-1}},
		`state "lazy"`:            {State: "lazy"},
		`phase "eating": want on`: {Phase: "eating"},
	} {
		gomega.NewWithT(t).Expect(p.Validate()).To(gomega.MatchError(gomega.ContainSubstring(text)))
	}
}

// A member that is away just then does not matter to the others: a shot that would not have hit it hits what it would
// have hit.
func TestVictimsAreAFunctionOfSeedAndPlan(t *testing.T) {
	g := gomega.NewWithT(t)
	const size = 8
	var all []candidate
	for slot := range size {
		all = append(all, candidate{Member{Slot: slot, PID: 100 + slot, State: Ready}, slot})
	}
	hit := map[int]int{}
	for _, s := range Plan(7, []Nemesis{{Fault: stub("kill"), When: When{Every: time.Second, Times: 200}}}) {
		o := order{seed: 7, draw: s.Draw, place: s.Place}
		first := Pick{}.choose(all, 0, size, o)[0]
		hit[first.Slot]++
		for away := range all {
			if away != first.rank {
				some := slices.Delete(slices.Clone(all), away, away+1)
				g.Expect(Pick{}.choose(some, 0, size, o)[0].Slot).To(gomega.Equal(first.Slot), "slot %d is away", away)
			}
		}
	}
	g.Expect(hit).To(gomega.HaveLen(size))
}

// The shots of a burst strike different members in whichever order they come to pick.
func TestABurstStrikesTheSameMembersInAnyOrder(t *testing.T) {
	g := gomega.NewWithT(t)
	var all []candidate
	for slot := range 8 {
		all = append(all, candidate{Member{Slot: slot}, slot})
	}
	shots := Plan(3, []Nemesis{{Fault: stub("kill"), When: When{Burst: 3}}})
	strike := func(turns ...int) (slots []int) {
		slots = make([]int, len(turns))
		left := slices.Clone(all)
		for _, turn := range turns {
			s := shots[turn]
			slots[turn] = Pick{}.choose(left, 0, 8, order{seed: 3, draw: s.Draw, place: s.Place})[0].Slot
			left = slices.DeleteFunc(left, func(c candidate) bool { return c.Slot == slots[turn] })
		}
		return slots
	}
	g.Expect(strike(2, 0, 1)).To(gomega.Equal(strike(0, 1, 2)))
}
