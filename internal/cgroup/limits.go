package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrBusy is returned by SetMemoryMax when the group uses more than the new limit and the kernel could not reclaim it
// (version 1 refuses such a limit; version 2 enforces it by the OOM killer instead).
var ErrBusy = errors.New("the group uses more than the new limit")

// SetMemoryMax limits the group's memory to n bytes and lets it have no swap beside that; 0 lifts both limits. On
// version 2 a limit below the present use kills members. Errors: ErrBusy.
func (g *Group) SetMemoryMax(n int64) error {
	at := g.at[Memory]
	if at.version == 2 {
		limit, swap := "max", "max"
		if n > 0 {
			limit, swap = strconv.FormatInt(n, 10), "0"
		}
		return errors.Join(optional(write(at.dir, "memory.swap.max", swap)), write(at.dir, "memory.max", limit))
	}
	limit := "-1"
	if n > 0 { // so that no swap is used even where it is not accounted, and memsw is absent
		limit = strconv.FormatInt(n, 10)
		if err := optional(write(at.dir, "memory.swappiness", "0")); err != nil {
			return err
		}
	}
	err := write(at.dir, v1Limit, limit)
	both := optional(write(at.dir, v1Both, limit))
	if errors.Is(err, syscall.EINVAL) { // it was above the old limit of both: now it fits
		err = write(at.dir, v1Limit, limit)
	}
	if err = errors.Join(err, both); errors.Is(err, syscall.EBUSY) {
		return fmt.Errorf("limit memory to %d bytes: %w", n, ErrBusy)
	}
	return err
}

// MemoryMax is the group's limit on memory in bytes, 0 when it has none.
func (g *Group) MemoryMax() (int64, error) {
	at := g.at[Memory]
	if at.version == 2 {
		data, err := os.ReadFile(filepath.Join(at.dir, "memory.max"))
		if text := strings.TrimSpace(string(data)); err != nil || text == "max" {
			return 0, err
		}
		return number(at.dir, "memory.max")
	}
	n, err := number(at.dir, v1Limit)
	if n >= unlimited {
		n = 0
	}
	return n, err
}

// unlimited is about what version 1 gives for no limit: the largest number of whole pages.
const unlimited = 1 << 62

// The limits of version 1 on memory, and on memory and swap together, which must be no less.
const (
	v1Limit = "memory.limit_in_bytes"
	v1Both  = "memory.memsw.limit_in_bytes"
)

// optional forgives that a file is not there.
func optional(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// MemoryCurrent is what the group uses now, in bytes, the page cache included.
func (g *Group) MemoryCurrent() (int64, error) {
	at := g.at[Memory]
	if at.version == 2 {
		return number(at.dir, "memory.current")
	}
	return number(at.dir, "memory.usage_in_bytes")
}

// OOMKills counts the processes that the kernel's OOM killer has ended in the group: on version 2 those in the groups
// below it too. The count has grown before the process is dead.
func (g *Group) OOMKills() (uint64, error) {
	at := g.at[Memory]
	if at.version == 2 {
		return field(at.dir, "memory.events", "oom_kill")
	}
	return field(at.dir, "memory.oom_control", "oom_kill")
}

// LocalOOMKills is OOMKills without those in the groups below it.
func (g *Group) LocalOOMKills() (uint64, error) {
	if at := g.at[Memory]; at.version == 2 {
		return field(at.dir, "memory.events.local", "oom_kill")
	}
	return g.OOMKills()
}

// SetPidsMax limits how many processes and threads the group may have; 0 lifts the limit. A limit below what it has
// already ends nothing, but refuses the next.
func (g *Group) SetPidsMax(n int) error {
	v := "max"
	if n > 0 {
		v = strconv.Itoa(n)
	}
	return write(g.at[Pids].dir, "pids.max", v)
}

// PidsCurrent is how many processes and threads the group has now.
func (g *Group) PidsCurrent() (int64, error) { return number(g.at[Pids].dir, "pids.current") }

// PidsRefused counts the processes and threads that were refused because of the limit.
func (g *Group) PidsRefused() (uint64, error) { return field(g.at[Pids].dir, "pids.events", "max") }

// minQuota is the least CPU quota that the kernel takes, in microseconds a period.
const minQuota = 1000

// SetCPUMax limits the group to so many CPUs (0.05 is 5 % of one); 0 lifts the limit. The least is a millisecond a
// period, which is 0.01 with the usual period.
func (g *Group) SetCPUMax(cpus float64) error {
	at := g.at[CPU]
	period, err := at.cpuPeriod()
	if err != nil {
		return err
	}
	quota := max(int64(cpus*float64(period)), minQuota)
	switch {
	case at.version == 2 && cpus > 0:
		return write(at.dir, "cpu.max", fmt.Sprintf("%d %d", quota, period))
	case at.version == 2:
		return write(at.dir, "cpu.max", fmt.Sprintf("max %d", period))
	case cpus <= 0:
		quota = -1
	}
	return write(at.dir, "cpu.cfs_quota_us", strconv.FormatInt(quota, 10))
}

// cpuPeriod is the time over which a CPU limit is enforced, in microseconds: usually 100,000.
func (p place) cpuPeriod() (int64, error) {
	if p.version != 2 {
		return number(p.dir, "cpu.cfs_period_us")
	}
	data, err := os.ReadFile(filepath.Join(p.dir, "cpu.max")) // QUOTA PERIOD
	if err != nil {
		return 0, err
	}
	_, period, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	return strconv.ParseInt(period, 10, 64)
}

// CPUThrottled counts the periods in which the group ran into its limit.
func (g *Group) CPUThrottled() (uint64, error) {
	return field(g.at[CPU].dir, "cpu.stat", "nr_throttled")
}

func number(dir, name string) (int64, error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
}

// field reads one number out of a file of "name value" lines.
func field(dir, name, key string) (uint64, error) {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == key {
			return strconv.ParseUint(v, 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s: %s", filepath.Join(dir, name), key, newKernel)
}
