package cgroup_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/cgroup"
)

const envRole = "RESPAWN_CGROUP_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(envRole); role != "" {
		play(strings.Fields(role))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play is what a child of the tests does. It starts when it is told to, by a line or the end of its standard input.
func play(role []string) {
	in := bufio.NewReader(os.Stdin)
	_, _ = in.ReadString('\n')
	switch role[0] {
	case "alloc": // N MiB, held until the end of input
		n, _ := strconv.Atoi(role[1])
		held := make([]byte, n<<20)
		for i := 0; i < len(held); i += os.Getpagesize() {
			held[i] = 1
		}
		fmt.Println("held")
		_, _ = in.ReadString('\n')
		held[0]++
	case "leave": // a group, and go
		g, err := cgroup.Create("left", cgroup.Pids)
		fmt.Println(g.Dir(cgroup.Pids), err)
		switch {
		case len(role) > 1 && role[1] == "pinned":
			_, err = g.Pin()
			fmt.Println(err)
		case len(role) > 1: // with that process in it
			pid, _ := strconv.Atoi(role[1])
			fmt.Println(g.Add(pid))
		}
	case "probe":
		for _, can := range cgroup.Probe() {
			fmt.Println(can)
		}
	}
}

// child is a process that the tests put into groups.
type child struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	end chan syscall.WaitStatus
}

// shell starts a script. It has one thread, so that what counts in a group is known.
func shell(t *testing.T, script string) *child {
	return start(t, exec.Command("/bin/sh", "-c", script))
}

// player starts this program in a role.
func player(t *testing.T, role string) *child {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), envRole+"="+role, "GOGC=off")
	return start(t, cmd)
}

func start(t *testing.T, cmd *exec.Cmd) *child {
	t.Helper()
	g := NewWithT(t)
	c := &child{Cmd: cmd, end: make(chan syscall.WaitStatus, 1)}
	var err error
	c.in, err = cmd.StdinPipe()
	g.Expect(err).NotTo(HaveOccurred())
	out, err := cmd.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	c.out = bufio.NewReader(out)
	cmd.Stderr = t.Output()
	g.Expect(cmd.Start()).To(Succeed())
	done := make(chan struct{})
	go func() {
		defer close(done)
		state, _ := cmd.Process.Wait()
		c.end <- state.Sys().(syscall.WaitStatus)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		c.in.Close()
		out.Close()
	})
	return c
}

func (c *child) pid() int { return c.Process.Pid }

// tell lets the child go on.
func (c *child) tell(t *testing.T) {
	t.Helper()
	_, err := io.WriteString(c.in, "go\n")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

// says is the next line that the child prints.
func (c *child) says(t *testing.T) string {
	t.Helper()
	line, err := c.out.ReadString('\n')
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return strings.TrimSpace(line)
}

// ended is how the child ended.
func (c *child) ended(t *testing.T) syscall.WaitStatus {
	t.Helper()
	var status syscall.WaitStatus
	NewWithT(t).Eventually(c.end).WithTimeout(30 * time.Second).Should(Receive(&status))
	return status
}

// need skips the test where a controller cannot be had. RESPAWN_CGROUP=1 or 2 says that it must, on that version.
func need(t *testing.T, controllers ...cgroup.Controller) {
	t.Helper()
	for _, can := range cgroup.Probe() {
		if !slices.Contains(controllers, can.Controller) {
			continue
		}
		switch want := os.Getenv("RESPAWN_CGROUP"); {
		case want != "" && (can.Err != nil || want != strconv.Itoa(can.Version)):
			t.Fatalf("RESPAWN_CGROUP=%s: version %d, %v", want, can.Version, can.Err)
		case can.Err != nil:
			t.Skipf("needs a writable cgroup: %v", can.Err)
		}
	}
}

// group makes a group for the test, and ends what is in it afterwards.
func group(t *testing.T, controllers ...cgroup.Controller) *cgroup.Group {
	t.Helper()
	need(t, controllers...)
	g, err := cgroup.Create(fmt.Sprintf("test-%d", time.Now().UnixNano()), controllers...)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() {
		NewWithT(t).Expect(g.Kill()).To(Succeed())
		NewWithT(t).Expect(g.Remove()).To(Succeed())
	})
	return g
}
