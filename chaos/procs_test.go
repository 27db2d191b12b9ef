package chaos_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/procfs"
)

// procs is a target of plain processes that do nothing: what the engine does to them is all that happens to them.
type procs struct {
	marker string
	mu     sync.Mutex
	list   []chaos.Member
	// listing is called with each listing before it is returned, and may change the world or the listing.
	listing func(call int, list []chaos.Member) []chaos.Member
	calls   int
}

// sleeper starts a process that carries the marker ("": none) and is gone at the end of the test.
func sleeper(t *testing.T, marker string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if marker != "" {
		cmd.Env = append(os.Environ(), chaos.MarkerEntry(marker))
	}
	NewWithT(t).Expect(cmd.Start()).To(Succeed())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // an error means that it was reaped
		_, _ = cmd.Process.Wait()
	})
	return cmd
}

// sleepers makes a target of n processes, which are reaped when they end.
func sleepers(t *testing.T, n int) *procs {
	t.Helper()
	p := &procs{marker: "test-" + t.Name()}
	for slot := range n {
		cmd := sleeper(t, p.marker)
		p.list = append(p.list, member(slot, cmd.Process.Pid))
		go func() { _, _ = cmd.Process.Wait() }()
	}
	return p
}

func member(slot, pid int) chaos.Member {
	return chaos.Member{Slot: slot, Generation: 1, PID: pid, State: chaos.Ready, Phase: "idle"}
}

func (p *procs) Describe() history.Target {
	return history.Target{Kind: "procs", Name: "procs", Size: len(p.list)}
}
func (p *procs) Want() int      { return len(p.list) }
func (p *procs) Marker() string { return p.marker }

func (p *procs) Members(context.Context) ([]chaos.Member, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.Clone(p.list)
	p.calls++
	if p.listing != nil {
		list = p.listing(p.calls, list)
	}
	return list, nil
}

func (p *procs) Watch(func(history.MemberEvent)) func() uint64 { return func() uint64 { return 0 } }

func (p *procs) Probe(ctx context.Context, slot int) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list[slot].PID, ctx.Err()
}

// state is the letter of a process's state.
func state(pid int) string {
	p, err := procfs.Read(pid)
	if err != nil {
		return ""
	}
	return string(p.State)
}

// hogsOf lists the hogs of a process.
func hogsOf(parent int) (pids []int) {
	table, _ := procfs.Snapshot()
	for _, pid := range table.Descendants(parent) {
		if argv, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); string(argv) == "respawn-hog\x00" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// stopHogs lets a hog that is about to be let loose eat nothing.
func stopHogs(e history.Event) {
	if e.Fault == nil || e.Fault.Op != history.Injected {
		return
	}
	for _, pid := range hogsOf(os.Getpid()) {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
}
