package driver_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
)

// A driver of protocol 2 has members that run no tasks. They are where it says, are what it says, and answer for
// themselves.
func TestMembersWithRoles(t *testing.T) {
	g := NewWithT(t)
	c := command(t, "brokers")
	c.Size, c.Places = 2, 3
	target, err := driver.StartTarget(bound(t), c, t.TempDir())
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { g.Expect(target.Close()).To(Succeed()) }()
	what := target.Describe()
	g.Expect([]int{what.Size, what.Brokers, what.Places, target.Want()}).To(Equal([]int{3, 1, 3, 3}))
	members, err := target.Members(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(members).To(HaveLen(3))
	for i, m := range members {
		g.Expect(m.Slot).To(Equal(i))
	}
	g.Expect([]string{members[0].Name, members[0].Role}).To(Equal([]string{"node-1", chaos.Node}))
	broker := members[2]
	g.Expect([]string{broker.Name, broker.Role, broker.Phase}).To(Equal([]string{"broker-1", chaos.Broker, "leader"}))
	for slot, m := range members {
		g.Expect(target.Probe(bound(t), slot)).To(Equal(m.PID), "the broker by a question, the others by tasks")
	}
	_, err = target.Poison(bound(t), chaos.Deadly{Code: 1})
	g.Expect(err).To(MatchError(ContainSubstring("want processes that were members and have ended")), "it lives")
	g.Expect(target.Violations()).To(BeEmpty())
}

func TestMembersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for mode, words := range map[string]string{
		"brokers of no role":  `role "queen": want node, broker or owner`,
		"brokers in one slot": "slot 0: want one from 0 for each",
	} {
		g := NewWithT(t)
		d := start(t, mode)
		pids, err := d.Members(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(pids).To(HaveLen(2), "it is left out")
		g.Expect(d.Violations()).To(ContainElement(MatchError(ContainSubstring(words))))
	}
}
