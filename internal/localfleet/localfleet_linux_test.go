package localfleet

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// hosting has this program start a fleet, and wait to be killed.
const hosting = "RESPAWN_TEST_HOSTS_A_FLEET"

func TestMain(m *testing.M) {
	pool.Main()
	if os.Getenv(hosting) != "" {
		if _, err := Start(Config{InMemory: true, Memory: LeastMemory}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("up")
		select {}
	}
	os.Exit(m.Run())
}

// Whoever may mount makes a disk by itself, and others by a process in a user namespace: both are real ones.
func TestADiskIsFullAndHasRoomAgain(t *testing.T) {
	for name, make := range map[string]func(int64) (*os.File, error){"mounted": mount, "in a user namespace": given} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			root, err := make(LeastDisk)
			if err != nil {
				t.Skipf("not possible here: %v", err)
			}
			d := &disk{root: root}
			defer d.close()
			g.Expect(os.Mkdir(d.store(), 0o700)).To(Succeed())
			f, err := d.fill()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect([]int64{f.Before, f.Full, f.Written}).To(Equal([]int64{LeastDisk, 0, LeastDisk}))
			g.Expect(f.Refused).To(Equal(1))
			g.Expect(os.WriteFile(d.store()+"/a", []byte("a"), 0o600)).To(MatchError(ContainSubstring("no space left")))
			_, err = d.fill()
			g.Expect(err).To(MatchError(ContainSubstring("filled already")))
			g.Eventually(func() int { d.mu.Lock(); defer d.mu.Unlock(); return d.facts.Refused }).
				Should(BeNumerically(">", 1), "it is kept full")
			f, err = d.free()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(f.After).To(BeEquivalentTo(LeastDisk))
			g.Expect(os.WriteFile(d.store()+"/a", []byte("a"), 0o600)).To(Succeed())
		})
	}
}

func TestNoCgroupOutlivesAHostThatIsKilled(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	for _, c := range cgroup.Probe() {
		if c.Controller == cgroup.Memory && c.Err != nil {
			t.Skip(c.Err)
		}
	}
	cmd := exec.Command(reexec.Program)
	cmd.Env = append(os.Environ(), hosting+"=1", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cmd.Start()).To(Succeed())
	line, err := bufio.NewReader(out).ReadString('\n')
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(line).To(Equal("up\n"))
	rooms := func() []string { // on version 2 the host may have moved itself into another one
		return slices.DeleteFunc(cgroup.Owned(cmd.Process.Pid),
			func(dir string) bool { return !strings.HasSuffix(dir, "-node-1") })
	}
	g.Expect(rooms()).To(HaveLen(1))
	g.Expect(cmd.Process.Kill()).To(Succeed())
	var killed *exec.ExitError
	g.Expect(errors.As(cmd.Wait(), &killed)).To(BeTrue())
	g.Eventually(rooms).WithTimeout(time.Minute).Should(BeEmpty())
}
