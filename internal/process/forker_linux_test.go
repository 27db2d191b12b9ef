package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
)

// begin starts a worker, which the test ends.
func begin(tb testing.TB, l Launch) Process {
	tb.Helper()
	p, err := Start(Spec{Worker: "Worker-1", MaxPayload: 1 << 20, Launch: l})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func finish(p Process) {
	p.Kill()
	p.Wait()
	p.Close()
}

// apartLaunch has every worker started by a forker of its own.
func apartLaunch(tb testing.TB) Launch {
	tb.Helper()
	l := Launch{forkers: &forkers{}}
	if f := l.forkers.forker(os.Stdin); f == nil {
		tb.Skip("close_range(2) is refused here")
	}
	return l
}

// holds tells whether a process, or a thread of it, has that file open.
func holds(of any, file string) bool {
	dir := fmt.Sprintf("/proc/%v/fd", of)
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && to == file {
			return true
		}
	}
	return false
}

// pipeOf makes a pipe, and says what /proc calls it.
func pipeOf(g *WithT, flags int) (fds [2]int, file string) {
	g.Expect(unix.Pipe2(fds[:], flags)).To(Succeed())
	file, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fds[0]))
	g.Expect(err).NotTo(HaveOccurred())
	return fds, file
}

func TestAForkersChildHasWhatAForksChildHas(t *testing.T) {
	g := NewWithT(t)
	pipe, file := pipeOf(g, unix.O_CLOEXEC)
	other, inherited := pipeOf(g, unix.O_CLOEXEC)
	// where no descriptor of the child's own takes its place
	number, err := unix.FcntlInt(uintptr(other[0]), unix.F_DUPFD, 100)
	g.Expect(err).NotTo(HaveOccurred())
	for _, fd := range append(pipe[:], other[0], other[1], number) {
		defer unix.Close(fd)
	}
	apart := apartLaunch(t)
	defer apart.Close()
	for _, l := range []Launch{{}, apart} {
		p := begin(t, l)
		g.Expect(holds(p.PID(), inherited)).To(BeTrue())
		g.Expect(holds(p.PID(), file)).To(BeFalse())
		finish(p)
	}
}

// What this process closes is closed: nobody waits for the end of a pipe because the thread holds it too.
func TestAForkerKeepsNothingOpen(t *testing.T) {
	g := NewWithT(t)
	pipe, _ := pipeOf(g, unix.O_CLOEXEC)
	defer unix.Close(pipe[0])
	finish(begin(t, apartLaunch(t)))
	unix.Close(pipe[1])
	ended := make(chan int, 1)
	go func() {
		n, _ := unix.Read(pipe[0], make([]byte, 1))
		ended <- n
	}()
	g.Eventually(ended).WithTimeout(10 * time.Second).Should(Receive(BeZero()))
}

// Its table is as long as its highest number, and so is what each fork copies.
func TestAForkersNumbersAreLow(t *testing.T) {
	g := NewWithT(t)
	for range 300 {
		f, err := os.Open(os.DevNull)
		g.Expect(err).NotTo(HaveOccurred())
		defer f.Close()
	}
	pipe, file := pipeOf(g, unix.O_CLOEXEC)
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	finish(begin(t, apartLaunch(t)))
	tasks, err := os.ReadDir("/proc/self/task")
	g.Expect(err).NotTo(HaveOccurred())
	apart := 0
	for _, task := range tasks {
		of := "self/task/" + task.Name()
		if holds(of, file) {
			continue
		}
		numbers, _ := os.ReadDir("/proc/" + of + "/fd")
		for _, n := range numbers {
			info, _ := os.ReadFile("/proc/" + of + "/fdinfo/" + n.Name())
			var flags int
			_, after, _ := strings.Cut(string(info), "flags:")
			_, _ = fmt.Sscanf(after, "%o", &flags)
			if fd, err := strconv.Atoi(n.Name()); err == nil && flags&unix.O_CLOEXEC != 0 { // and not what is inherited
				g.Expect(fd).To(BeNumerically("<", 100))
				apart++
			}
		}
	}
	g.Expect(apart).To(BeNumerically(">", 0))
}

// The kernel signals children that ask for it when the thread ends that has started them, which may be any.
func TestAForkerEndsNoThreadOfThisProcess(t *testing.T) {
	g := NewWithT(t)
	var children []*exec.Cmd
	for range 10 {
		c := exec.Command("sleep", "600")
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		g.Expect(c.Start()).To(Succeed())
		defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
		children = append(children, c)
		l := apartLaunch(t)
		finish(begin(t, l))
		l.Close()
	}
	g.Consistently(func() (dead int) {
		for _, c := range children {
			if data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.Process.Pid)); strings.Contains(string(data),
				") Z") {
				dead++
			}
		}
		return dead
	}).WithTimeout(200 * time.Millisecond).Should(BeZero())
}

// /proc/self/fd is the table of a process's first thread, and what goes by that would look into the forker's.
func TestAForkerIsNeverTheFirstThread(t *testing.T) {
	g := NewWithT(t)
	pipe, file := pipeOf(g, unix.O_CLOEXEC)
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	for range 50 {
		l := apartLaunch(t)
		g.Expect(holds("self", file)).To(BeTrue())
		l.Close()
	}
}

func TestAFewDescriptorsAreForkedAsTheyAre(t *testing.T) {
	g := NewWithT(t)
	l := Launch{forkers: &forkers{from: manyFiles}}
	finish(begin(t, l))
	g.Expect(l.forkers.made).To(BeNil())
	l.forkers.from = 5
	finish(begin(t, l))
	g.Expect(l.forkers.made).NotTo(BeNil())
}

func TestAForkersErrorsAreThoseOfAStart(t *testing.T) {
	g := NewWithT(t)
	l := apartLaunch(t)
	defer l.Close()
	l.Program = filepath.Join(t.TempDir(), "none")
	_, err := Start(Spec{Worker: "Worker-1", MaxPayload: 1 << 20, Launch: l})
	g.Expect(err).To(MatchError(os.ErrNotExist))
	g.Expect(err).To(MatchError(ContainSubstring("fork/exec " + l.Program)))
}

// BenchmarkStart shows what the descriptors of the parent cost, with a thread that forks and without.
func BenchmarkStart(b *testing.B) {
	for _, open := range []int{0, 10_000} {
		for _, apart := range []bool{false, true} {
			b.Run(fmt.Sprintf("open=%d/apart=%v", open, apart), func(b *testing.B) {
				for range open {
					f, err := os.Open(os.DevNull)
					if err != nil {
						b.Fatal(err)
					}
					defer f.Close()
				}
				var l Launch
				if apart {
					l = apartLaunch(b)
				}
				for b.Loop() {
					p := begin(b, l)
					b.StopTimer()
					finish(p)
					b.StartTimer()
				}
			})
		}
	}
}
