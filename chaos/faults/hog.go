package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/reexec"
)

// hog is a process that uses memory of the group that it shares with a victim which cannot be told to do that. It is
// this program itself, started again, and ends when this process does: see Main.
//
// To hold the usage it takes so much, and is the one that the kernel takes should that be too much after all. To get
// the victim killed it uses all up, and the victim's oom_score_adj is raised to the highest, so that the kernel takes
// it first; the hog stops then. A victim that has little memory in the group frees little, and without
// CAP_SYS_RESOURCE, which makes the hog exempt, the kernel may take the hog after it: that is told by the hog's wait
// status and not counted as the victim's end.
type hog struct {
	cmd    *exec.Cmd
	in     io.Closer
	order  io.Writer
	took   chan int64    // how many bytes it took, once it has what it was to hold or gets no more
	ended  chan struct{} // closed when it was reaped
	score  *os.File      // the victim's oom_score_adj
	was    string        // what that was
	done   func()        // tells the guardian that the score needs no mending any more
	killed bool          // it was, and by the kernel unless stop did it. Valid once ended is closed
}

// An oom_score_adj for whom the kernel is to take.
const (
	takeMeFirst = "1000"
	takeMeNever = "-1000" // with CAP_SYS_RESOURCE
)

// What a hog is told, by a line on its standard input.
const (
	untilAKill = "until a kill" // take memory until the kernel has killed somebody
	holdBytes  = "hold %d"      // take so many bytes, say how many those are, and keep them
)

// tookBytes is the hog's answer to holdBytes, a line on its standard output.
const tookBytes = "took %d"

// startHog starts a hog that waits in the group, with that oom_score_adj.
func startHog(ctx context.Context, group *cgroup.Group, score string) (*hog, error) {
	marker, err := reexec.Hog.Marker("1")
	if err != nil {
		return nil, fmt.Errorf("start a hog: %w", err)
	}
	cmd := exec.Command(reexec.Program)
	cmd.Args, cmd.Env = []string{"respawn-hog"}, []string{marker}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a hog: %w", err)
	}
	h := &hog{cmd: cmd, in: in, order: in, took: make(chan int64, 1), ended: make(chan struct{})}
	ready := make(chan error, 1)
	go func() {
		lines := bufio.NewReader(out)
		_, err := lines.ReadString('\n')
		ready <- err
		var n int64
		if _, err := fmt.Fscanf(lines, tookBytes+"\n", &n); err == nil {
			h.took <- n
		}
		_ = cmd.Wait()
		status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		h.killed = status.Signal() == syscall.SIGKILL
		close(h.ended)
	}()
	select {
	case err = <-ready:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		// without the privilege for takeMeNever it may be taken second
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", cmd.Process.Pid), []byte(score), 0)
		err = group.Add(cmd.Process.Pid)
	}
	if err != nil {
		h.stop()
		return nil, fmt.Errorf("start a hog in the victim's cgroup: %w", err)
	}
	return h, nil
}

// tell lets the hog loose.
func (h *hog) tell(order string, args ...any) error {
	if _, err := fmt.Fprintf(h.order, order+"\n", args...); err != nil {
		return fmt.Errorf("the hog is gone: %w", err)
	}
	return nil
}

// attack makes the victim the one that the kernel takes first, and lets the hog loose.
func (h *hog) attack(c *chaos.Case) error {
	path := fmt.Sprintf("/proc/%d/oom_score_adj", c.Victim.PID)
	old, err := os.ReadFile(path)
	if err == nil {
		h.score, err = os.OpenFile(path, os.O_WRONLY, 0)
	}
	if errors.Is(err, os.ErrPermission) {
		return chaos.Refuse("no privilege to make the victim the one that the kernel takes first: %v", err)
	}
	if err != nil || c.Victim.Gone() || !c.Victim.Alive() { // else the file was the victim's, and stays it
		return chaos.ErrGone
	}
	h.was = strings.TrimSpace(string(old))
	if h.done, err = c.Guardian.Undo(path, h.was); err != nil {
		return err
	}
	if _, err := h.score.WriteString(takeMeFirst); err != nil {
		if errors.Is(err, syscall.ESRCH) {
			return chaos.ErrGone
		}
		return chaos.Refuse("the victim cannot be made the one that the kernel takes first: %v", err)
	}
	return h.tell(untilAKill)
}

// ending waits for the victim to be killed because of the hog.
func (h *hog) ending(ctx context.Context, c *chaos.Case) (chaos.Ending, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, fatalWait, fmt.Errorf("the victim is alive after %v", fatalWait))
	defer cancel()
	select {
	case <-c.Victim.Exited():
	case <-h.ended: // it stops at the first kill, which the victim's end may follow
		ctx, cancel = context.WithTimeoutCause(ctx, hogWait,
			errors.New("the hog used up the memory, and the kernel did not take the victim"))
		defer cancel()
		select {
		case <-c.Victim.Exited():
		case <-ctx.Done():
			return chaos.Ending{}, context.Cause(ctx)
		}
	case <-ctx.Done():
		return chaos.Ending{}, context.Cause(ctx)
	}
	return c.Ending(ctx)
}

// hogWait is how long after the hog's end the victim may take to be gone.
const hogWait = 5 * time.Second

// finished waits for the hog to end after the victim's end, which it does by itself, and says how it did, and whether
// it had to be stopped: it hangs where the victim had little memory to free, and there is none for its look at the
// counter. Told to end, it might be gone with exit code 0 although the kernel has counted it.
func (h *hog) finished() (how string, stopped bool) {
	select {
	case <-h.ended:
	case <-time.After(hogWait):
		h.stop()
		return "had to be stopped", true
	}
	if h.killed {
		return "ended by the kernel's OOM killer too", false
	}
	return "stopped at the first kill", false
}

// stop ends the hog at once. Doing it again is fine.
func (h *hog) stop() {
	h.in.Close()
	_ = h.cmd.Process.Kill() // it may have ended
	<-h.ended
}

// spare stops the hog, and gives a victim that lives its oom_score_adj back.
func (h *hog) spare(c *chaos.Case) error {
	h.stop()
	if h.score != nil {
		defer h.score.Close()
	}
	if h.done == nil {
		return chaos.ErrNothingToHeal
	}
	defer h.done()
	_, err := h.score.WriteString(h.was)
	switch {
	case c.Victim.Gone(), errors.Is(err, syscall.ESRCH):
		return chaos.ErrNothingToHeal
	case err != nil:
		return fmt.Errorf("restore the victim's oom_score_adj %s: %w", h.was, err)
	}
	return nil
}
