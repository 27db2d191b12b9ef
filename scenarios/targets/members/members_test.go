package members_test

import (
	"os"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/scenarios/targets/members"
)

// family is 10 with the children 11 and 12; 13 and the zombie 14 are 11's; 15 is 13's; 20, with the child 21, is
// somebody else's.
func family() procfs.Table {
	t := procfs.Table{}
	for pid, parent := range map[int]int{1: 0, 10: 1, 11: 10, 12: 10, 13: 11, 14: 11, 15: 13, 20: 1, 21: 20} {
		t[pid] = procfs.Proc{PID: pid, PPID: parent, State: 'S'}
	}
	zombie := t[14]
	zombie.State = 'Z'
	t[14] = zombie
	return t
}

func TestARuleFindsItsMembersAndNobodyElse(t *testing.T) {
	for name, c := range map[string]struct {
		rule    members.Rule
		adopted bool // 20 was started by 10
		want    []int
	}{
		"default":  {members.Rule{}, false, []int{11, 12}},
		"children": {members.Rule{Children: true}, false, []int{11, 12}},
		"tree":     {members.Rule{Tree: true}, false, []int{11, 12, 13, 15}},
		"depth":    {members.Rule{Depth: 2}, false, []int{13}},
		"deeper":   {members.Rule{Depth: 3}, false, []int{15}},
		"daemons":  {members.Rule{Tree: true}, true, []int{11, 12, 13, 15, 20, 21}},
		"no tree":  {members.Rule{}, true, []int{11, 12}},
		"nobody":   {members.Rule{Depth: 4}, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			NewWithT(t).Expect(c.rule.Below(family(), 10, func(pid int) bool { return pid == 20 && c.adopted })).
				To(Equal(c.want))
		})
	}
}

func TestAPatternIsOfTheCommandLine(t *testing.T) {
	g := NewWithT(t)
	table, err := procfs.Snapshot()
	g.Expect(err).NotTo(HaveOccurred())
	rule := members.Rule{Match: &members.Match{Argv: `members\.test.* -test\.`}}
	g.Expect(rule.Below(table, os.Getppid(), nil)).To(ContainElement(os.Getpid()))
	rule.Match.Argv = "^no such thing$"
	g.Expect(rule.Below(table, os.Getppid(), nil)).To(BeEmpty())
}

func TestMistakesInARuleAreNamed(t *testing.T) {
	g := NewWithT(t)
	var said []string
	rule := members.Rule{Children: true, Tree: true, Match: &members.Match{Argv: "("}, Listening: 70000}
	rule.Check(func(key, _ string, _ ...any) { said = append(said, key) })
	g.Expect(said).To(Equal([]string{"", "match", "listening"}))
}

// The child of a member that has died is handed to the main process, and is no replacement; a new child is.
func TestWhatAMemberHadStartedIsNoReplacement(t *testing.T) {
	g := NewWithT(t)
	var a members.Adoptions
	var rule members.Rule
	look := func(table procfs.Table) []int { return a.Without(&rule, table, rule.Below(table, 10, nil)) }
	table := family()
	g.Expect(look(table)).To(Equal([]int{11, 12}))
	for range 2 { // 11 has died, 13 is adopted, and 16 has come
		table = family()
		delete(table, 11)
		table[13] = procfs.Proc{PID: 13, PPID: 10, State: 'S'}
		table[16] = procfs.Proc{PID: 16, PPID: 10, State: 'S'}
		g.Expect(look(table)).To(Equal([]int{12, 16}))
	}
	table[13] = procfs.Proc{PID: 13, PPID: 10, State: 'S', Started: 5} // the number has passed on
	g.Expect(look(table)).To(Equal([]int{12, 13, 16}))
}
