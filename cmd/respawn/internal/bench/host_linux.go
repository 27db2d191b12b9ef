package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// confine makes a cancelled command take its children with it.
func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// proportional is a process's share of the memory that it maps, in kibibytes (proc_pid_smaps(5), Pss).
func proportional(pid int) (float64, error) { return kibibytes(pid, "smaps_rollup", "Pss:") }

// residentSet is a process's resident set, in kibibytes.
func residentSet(pid int) (float64, error) { return kibibytes(pid, "status", "VmRSS:") }

func kibibytes(pid int, file, key string) (float64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == key {
			return strconv.ParseFloat(fields[1], 64)
		}
	}
	return 0, fmt.Errorf("/proc/%d/%s has no %s", pid, file, key)
}
