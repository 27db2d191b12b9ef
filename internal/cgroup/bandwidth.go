package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Bandwidth is a limit on the CPU time of a group, with its counters since it was made.
type Bandwidth struct {
	Dir       string  // the group's directory
	CPUs      float64 // how many CPUs' time the group may use: 0.5 is half of one
	Periods   int64   // in which it wanted to run
	Throttled int64   // of these, in which it was stopped because its time was used up
	Used      time.Duration
	UsedKnown bool // Used is: version 1 tells it where cpu and cpuacct are one hierarchy
}

// Bandwidths lists the limits on CPU time that hold for this process: that of its own group first, then those of the
// groups above, as far as they are visible here.
func Bandwidths() []Bandwidth {
	t, err := readTree(self)
	if err != nil {
		return nil
	}
	return t.bandwidths()
}

func (t tree) bandwidths() (list []Bandwidth) {
	at, ok := t.find(CPU)
	if !ok {
		return nil
	}
	for dir := at.dir; len(dir) > 1; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
			break // above the mount point
		}
		if b, ok := (place{version: at.version, dir: dir}).bandwidth(); ok {
			list = append(list, b)
		}
	}
	return list
}

// bandwidth reads the limit of one group; ok is false where there is none.
func (p place) bandwidth() (b Bandwidth, ok bool) {
	b.Dir = p.dir
	var quota, period string
	if p.version == 1 {
		quota, period = readText(p.dir, "cpu.cfs_quota_us"), readText(p.dir, "cpu.cfs_period_us")
	} else {
		quota, period, _ = strings.Cut(readText(p.dir, "cpu.max"), " ")
	}
	q, errQ := strconv.ParseFloat(quota, 64) // "-1" and "max" are none
	of, errP := strconv.ParseFloat(period, 64)
	if errQ != nil || errP != nil || q <= 0 || of <= 0 {
		return b, false
	}
	b.CPUs = q / of
	for line := range strings.Lines(readText(p.dir, "cpu.stat")) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, _ := strconv.ParseInt(value, 10, 64)
		switch key {
		case "nr_periods":
			b.Periods = n
		case "nr_throttled":
			b.Throttled = n
		case "usage_usec":
			b.Used, b.UsedKnown = time.Duration(n)*time.Microsecond, true
		}
	}
	if ns, err := strconv.ParseInt(readText(p.dir, "cpuacct.usage"), 10, 64); err == nil {
		b.Used, b.UsedKnown = time.Duration(ns), true
	}
	return b, true
}

// readText is what the file of a group holds, "" where there is none.
func readText(dir, name string) string {
	data, _ := os.ReadFile(filepath.Join(dir, name))
	return strings.TrimSpace(string(data))
}

// PressureFile is where the kernel tells how long tasks waited for a CPU: the file of this process's own group on
// version 2, else that of the whole system. Neither need be there.
func PressureFile() string {
	if t, err := readTree(self); err == nil {
		if dir, top, ok := t.unified(); ok && dir != top {
			if path := filepath.Join(dir, "cpu.pressure"); readText(dir, "cpu.pressure") != "" {
				return path
			}
		}
	}
	return "/proc/pressure/cpu"
}
