package cgroup

import (
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestBandwidthsAreThoseOfTheGroupAndOfTheGroupsAbove(t *testing.T) {
	for name, c := range map[string]struct {
		fake
		want []Bandwidth
	}{
		"version 1, with the time used": {
			fake{v1cpu, "1:cpu,cpuacct:/pod/box\n", map[string]string{
				"fs/cpu,cpuacct/cgroup.procs": "", "fs/cpu,cpuacct/pod/cgroup.procs": "",
				"fs/cpu,cpuacct/pod/box/cgroup.procs": "1\n", "fs/cpu,cpuacct/pod/cpu.cfs_quota_us": "-1\n",
				"fs/cpu,cpuacct/pod/cpu.cfs_period_us":     "100000\n",
				"fs/cpu,cpuacct/pod/box/cpu.cfs_quota_us":  "10000\n",
				"fs/cpu,cpuacct/pod/box/cpu.cfs_period_us": "100000\n",
				"fs/cpu,cpuacct/pod/box/cpu.stat": "nr_periods 45\nnr_throttled 24\n" +
					"throttled_time 4156742688\n",
				"fs/cpu,cpuacct/pod/box/cpuacct.usage": "450000000\n",
			}},
			[]Bandwidth{{
				Dir: "fs/cpu,cpuacct/pod/box", CPUs: 0.1, Periods: 45, Throttled: 24, Used: 450 * time.Millisecond,
				UsedKnown: true,
			}},
		},
		"version 2, limited twice": {
			fake{v2mount, "0::/pod/box\n", map[string]string{
				"fs/cgroup.controllers": "cpu\n", "fs/cgroup.procs": "", "fs/pod/cgroup.procs": "",
				"fs/pod/box/cgroup.procs": "1\n", "fs/pod/cpu.max": "400000 100000\n",
				"fs/pod/cpu.stat":     "usage_usec 7\nnr_periods 9\nnr_throttled 0\n",
				"fs/pod/box/cpu.max":  "50000 100000\n",
				"fs/pod/box/cpu.stat": "usage_usec 5\nnr_periods 8\nnr_throttled 6\n",
			}},
			[]Bandwidth{
				{Dir: "fs/pod/box", CPUs: 0.5, Periods: 8, Throttled: 6, Used: 5 * time.Microsecond, UsedKnown: true},
				{Dir: "fs/pod", CPUs: 4, Periods: 9, Used: 7 * time.Microsecond, UsedKnown: true},
			},
		},
		"version 2, without a limit": {
			fake{v2mount, "0::/box\n", map[string]string{
				"fs/cgroup.controllers": "cpu\n", "fs/cgroup.procs": "", "fs/box/cgroup.procs": "1\n",
				"fs/box/cpu.max": "max 100000\n",
			}}, nil,
		},
		"no controller": {fake{v2mount, "0::/\n", nil}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tree, tmp := c.read(t)
			for i := range c.want {
				c.want[i].Dir = filepath.Join(tmp, c.want[i].Dir)
			}
			NewWithT(t).Expect(tree.bandwidths()).To(Equal(c.want))
		})
	}
}
