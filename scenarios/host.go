package scenarios

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/procfs"
)

// Environment is what a report shows of the host: an allowlist, since the environment of a CI job holds secrets.
func Environment() map[string]string {
	env := map[string]string{
		"os": runtime.GOOS + "/" + runtime.GOARCH, "go": runtime.Version(), "cpus": fmt.Sprint(runtime.NumCPU()),
	}
	if release := procfs.Line("/proc/sys/kernel/osrelease"); release != "" {
		env["kernel"] = release
	}
	meminfo := readFile("/proc/meminfo")
	for _, name := range []string{"MemTotal", "SwapTotal"} {
		if bytes, ok := memory(meminfo, name); ok {
			env[strings.ToLower(name)] = check.Bytes.Show(bytes)
		}
	}
	return env
}

// memory is how many bytes a line of /proc/meminfo tells of.
func memory(meminfo, name string) (bytes float64, ok bool) {
	for line := range strings.Lines(meminfo) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kib * 1024, err == nil
		}
	}
	return 0, false
}

// capabilities is what this host offers to faults, or why not.
func capabilities() map[string]string {
	can := map[string]string{"root": fmt.Sprint(os.Geteuid() == 0)}
	for _, c := range cgroup.Probe() {
		name := string(c.Controller) + "-cgroup"
		can[name] = fmt.Sprintf("yes, version %d", c.Version)
		if c.Err != nil {
			can[name] = c.Err.Error()
		}
	}
	return can
}

// missing names what the scenario needs and the host lacks, "" when it has everything.
func (s *Scenario) missing() string { return s.lacks(capabilities(), readFile("/proc/meminfo")) }

// lacks is missing on a host that offers this to faults and has this memory.
func (s *Scenario) lacks(have map[string]string, meminfo string) string {
	var lacks []string
	for _, need := range s.Needs {
		switch need {
		case "root":
			if have["root"] != "true" {
				lacks = append(lacks, "root")
			}
		case "swap-off":
			if swap, _ := memory(meminfo, "SwapTotal"); swap > 0 {
				lacks = append(lacks, "swap-off ("+check.Bytes.Show(swap)+" of swap are on)")
			}
		case "cgroups":
			lacks = append(lacks, lacking(have, "memory-cgroup", "pids-cgroup", "cpu-cgroup")...)
		default:
			lacks = append(lacks, lacking(have, need)...)
		}
	}
	return strings.Join(lacks, "; ")
}

func lacking(have map[string]string, needs ...string) (lacks []string) {
	for _, n := range needs {
		if !strings.HasPrefix(have[n], "yes") {
			lacks = append(lacks, n+": "+have[n])
		}
	}
	return lacks
}

func readFile(path string) string {
	data, _ := os.ReadFile(path) // what cannot be read is not shown
	return string(data)
}
