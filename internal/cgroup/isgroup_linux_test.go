package cgroup_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/cgroup"
)

func TestOnlyTheDirectoriesOfGroupsAreGroups(t *testing.T) {
	g, mine := NewWithT(t), group(t, cgroup.Pids)
	g.Expect(cgroup.IsGroup(mine.Dir(cgroup.Pids))).To(BeTrue())
	g.Expect(cgroup.IsGroup(t.TempDir())).To(BeFalse())
	g.Expect(cgroup.IsGroup("/nowhere/at/all")).To(BeFalse())
}
