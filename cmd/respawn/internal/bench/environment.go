package bench

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/respawn-go/respawn/internal/procfs"
)

func environment() Environment {
	e := Environment{
		OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), Runs: map[string]int{},
		Kernel: procfs.Line("/proc/sys/kernel/osrelease"), CPU: cpuModel(),
	}
	if out, err := exec.Command("python3", "--version").Output(); err == nil {
		e.Python = strings.TrimSpace(strings.TrimPrefix(string(out), "Python "))
	}
	return e
}

// cpuModel is the processor's name; "" where the kernel does not tell.
func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
