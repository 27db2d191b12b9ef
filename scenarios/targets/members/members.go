// Package members finds the members of a target among the processes of this host, by a rule that a scenario states.
package members

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/units"
)

// Rule says which processes of a target are its members. One of Children, Tree and Depth says where they are looked
// for, and Match and Listening which of those it is. The zero value means the children.
type Rule struct {
	Children  bool        `yaml:"children" zero:"nobody: want true" doc:"The children of the main process. The default."`
	Tree      bool        `yaml:"tree" zero:"nobody: want true" doc:"Everything that descends from the main process, or was started by it and is adopted by another, or is in the control group; the main process is not a member."`
	Depth     units.Count `yaml:"depth" zero:"the main process: want at least 1" doc:"Those so many generations below the main process: 1 are its children."`
	Match     *Match      `yaml:"match" doc:"Only those whose command line matches. Without children and depth: of the tree."`
	Listening units.Count `yaml:"listening" zero:"no port: want 1 to 65535" doc:"Only those that have a socket which listens at this TCP port. Without children and depth: of the tree."`
}

// Match is a pattern for command lines.
type Match struct {
	Argv string `yaml:"argv" doc:"A regular expression (RE2) that matches somewhere in the arguments, joined by spaces."`
}

// Check tells what is wrong with the rule.
func (r *Rule) Check(fail func(key, format string, args ...any)) {
	where := 0
	for _, set := range []bool{r.Children, r.Tree, r.Depth > 0} {
		if set {
			where++
		}
	}
	if where > 1 {
		fail("", "children, tree and depth contradict each other: want one")
	}
	if r.Match != nil {
		if _, err := regexp.Compile(r.Match.Argv); err != nil || r.Match.Argv == "" {
			fail("match", "argv %q is no pattern: want a regular expression such as 'worker [0-9]+'", r.Match.Argv)
		}
	}
	if r.Listening > 65535 {
		fail("listening", "%d is no port: want 1 to 65535", r.Listening)
	}
}

// depth is how many generations below the main process the members are at most, and at least.
func (r *Rule) depth() (least, most int) {
	const all = 4096
	switch {
	case r.Depth > 0:
		return int(r.Depth), int(r.Depth)
	case r.Tree, !r.Children && (r.Match != nil || r.Listening > 0):
		return 1, all
	}
	return 1, 1
}

// tree tells whether members are found at any depth, and so below each other.
func (r *Rule) tree() bool {
	least, most := r.depth()
	return most > least
}

// Of is the rule in words, for a main process in words: "the children of process 12, if it listens at port 80".
func (r *Rule) Of(main string) string {
	least, most := r.depth()
	s := "everything below " + main
	switch {
	case least == 1 && most == 1:
		s = "the children of " + main
	case least == most:
		s = fmt.Sprintf("what is %d generations below %s", least, main)
	}
	if r.Match != nil {
		s += fmt.Sprintf(", if the command line matches %q", r.Match.Argv)
	}
	if r.Listening > 0 {
		s += fmt.Sprintf(", if it listens at port %d", r.Listening)
	}
	return s
}

// Below finds the members below the main process. Of a tree those are also members, with what is below them, that it
// started and that an ancestor of the main process has adopted since, as daemons want to be: owns tells which processes
// it has started. It is asked of those that may be, and may be nil.
func (r *Rule) Below(table procfs.Table, main int, owns func(pid int) bool) []int {
	least, most := r.depth()
	above := map[int]bool{}
	for at := table[main].PPID; at > 0 && !above[at]; at = table[at].PPID {
		above[at] = true
	}
	return r.Among(table, func(pid int) bool {
		generations := 0
		for at := pid; at != main; generations++ {
			p, ok := table[at]
			if !ok || p.PPID == 0 || generations > len(table) {
				return false
			}
			if above[p.PPID] {
				return r.tree() && owns != nil && p.Started >= table[main].Started && owns(at)
			}
			at = p.PPID
		}
		return generations >= least && generations <= most
	})
}

// Among finds the members among the living processes that in accepts, in the order of their numbers.
func (r *Rule) Among(table procfs.Table, in func(pid int) bool) (pids []int) {
	for pid, p := range table {
		if p.Alive() && !p.Kernel && in(pid) {
			pids = append(pids, pid)
		}
	}
	if r.Match != nil {
		pattern, err := regexp.Compile(r.Match.Argv)
		pids = slices.DeleteFunc(pids, func(pid int) bool {
			return err != nil || !pattern.MatchString(strings.Join(procfs.Args(pid), " "))
		})
	}
	if r.Listening > 0 {
		sockets := map[string]map[string]bool{} // by network namespace
		pids = slices.DeleteFunc(pids, func(pid int) bool { return !listens(pid, int(r.Listening), sockets) })
	}
	slices.Sort(pids)
	return pids
}

// listens tells whether a process has a socket that listens at the port, in its own network namespace.
func listens(pid, port int, known map[string]map[string]bool) bool {
	space := procfs.NetworkOf(pid)
	if known[space] == nil {
		known[space], _ = procfs.Listeners(pid, port)
	}
	return procfs.HasSocket(pid, known[space])
}
