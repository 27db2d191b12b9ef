package foreign

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/procfs"
)

// endTimeout bounds how long End waits for killed processes to be gone; one in the kernel's uninterruptible sleep is
// not.
const endTimeout = 5 * time.Second

// Program is a started program with all its descendants. Safe for concurrent use.
//
// Its process is not reaped before End, so that the numbers of its session and group cannot pass to someone else.
type Program struct {
	pid      int
	began    time.Duration // when it was started, as procfs has it; 0 if it had ended by then
	marker   string
	temp     string // its TMPDIR, removed by End
	borrowed bool   // temp is another program's, which removes it
	command  Command
	guardian deadMansSwitch
	pidfd    *os.File
	stderr   *tail
	pipe     *os.File // the reading end of its standard error
	exited   chan struct{}
	exit     Exit // set before exited is closed

	kin    kin
	end    sync.Once
	endErr error
}

// deadMansSwitch is what a program needs of a guardian, which is there on Linux only.
type deadMansSwitch interface {
	Watch(pid int, cgroupDir string) error
	Forget(pid int)
	Close() error
}

// Exit is how a program ended.
type Exit struct {
	Code   int // -1 when a signal ended it
	Signal unix.Signal
	Unseen bool // somebody else reaped it, and the kernel does not tell how it ended
}

// Clean tells whether nothing shows that it ended otherwise than with code 0.
func (e Exit) Clean() bool { return e.Unseen || e.Code == 0 && e.Signal == 0 }

func (e Exit) String() string {
	if e.Unseen {
		return "ended, and somebody else took its status"
	}
	if e.Signal != 0 {
		return "ended by " + unix.SignalName(e.Signal)
	}
	return fmt.Sprintf("exited with code %d", e.Code)
}

// PID is the program's process, which leads its session and its group.
func (p *Program) PID() int { return p.pid }

// Marker is the id in the environment entry RESPAWN_POOL=id of every descendant.
func (p *Program) Marker() string { return p.marker }

// Exited is closed when the program itself has ended. Its descendants may live on.
func (p *Program) Exited() <-chan struct{} { return p.exited }

// Exit is how the program ended; the zero value before Exited is closed.
func (p *Program) Exit() Exit {
	select {
	case <-p.exited:
		return p.exit
	default:
		return Exit{}
	}
}

// Stderr is the end of what the program and its descendants wrote to their standard error, at most 16 KiB.
func (p *Program) Stderr() string {
	if p.pipe != nil {
		p.stderr.catchUp(p.pipe)
	}
	return p.stderr.String()
}

// Children lists the living processes whose parent is the program.
func (p *Program) Children() ([]int, error) {
	all, err := procfs.Snapshot()
	var pids []int
	for pid, proc := range all {
		if proc.PPID == p.pid && proc.Alive() {
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// Name is the name of a process's program, at most 15 bytes; "" when it is gone.
func Name(pid int) string {
	name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	return strings.TrimSpace(string(name))
}
