package procfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ReadCPUTimes reads what the CPUs have done that the calling thread may run on.
func ReadCPUTimes() (CPUTimes, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return CPUTimes{}, err
	}
	allowed := func(int) bool { return true }
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) == nil {
		allowed = set.IsSet
	}
	return parseCPUTimes(string(stat), allowed)
}

// parseCPUTimes adds up the lines of proc_stat(5) of the CPUs that are allowed.
func parseCPUTimes(stat string, allowed func(cpu int) bool) (t CPUTimes, err error) {
	for line := range strings.Lines(stat) {
		fields := strings.Fields(line)
		if len(fields) < 8 || !strings.HasPrefix(fields[0], "cpu") {
			continue
		}
		cpu, err := strconv.Atoi(fields[0][len("cpu"):])
		if err != nil || !allowed(cpu) { // the first line is the sum of all
			continue
		}
		num := func(i int) time.Duration {
			n, _ := strconv.ParseInt(fields[i], 10, 64)
			return time.Duration(n) * tick
		}
		t.CPUs++
		t.Busy += num(1) + num(3) + num(6) + num(7)
		t.Nice += num(2)
		t.Idle += num(4) + num(5)
		if len(fields) > 8 {
			t.Stolen += num(8)
		}
	}
	if t.CPUs == 0 {
		return t, errors.New("/proc/stat has no line for a CPU that this process may run on")
	}
	return t, nil
}

// ReadPressure reads for how long in all, since the system or the group began, at least one of its tasks waited for a
// CPU although it could have run: the line "some" of a file of pressure stall information, /proc/pressure/cpu or a
// group's cpu.pressure.
func ReadPressure(path string) (time.Duration, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		rest, ok := strings.CutPrefix(line, "some ")
		_, total, there := strings.Cut(rest, "total=")
		if ok && there {
			us, err := strconv.ParseInt(strings.TrimSpace(total), 10, 64)
			return time.Duration(us) * time.Microsecond, err
		}
	}
	return 0, fmt.Errorf("%s has no total of the time that some task waited", path)
}
