package cgroup_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/cgroup"
)

func TestProbeSaysWhatCreateDoes(t *testing.T) {
	g := NewWithT(t)
	for _, can := range cgroup.Probe() {
		t.Log(can)
		cg, err := cgroup.Create("probe-test", can.Controller)
		g.Expect(err == nil).To(Equal(can.Err == nil), "%v: %v", can, err)
		if err == nil {
			g.Expect(can.Version).To(Equal(cg.Version(can.Controller)))
			g.Expect(cg.Remove()).To(Succeed())
			continue
		}
		var why *cgroup.UnsupportedError
		g.Expect(errors.As(can.Err, &why)).To(BeTrue())
		g.Expect(why.Reason).NotTo(BeEmpty())
		g.Expect(why.Remedy).NotTo(BeEmpty())
	}
}

func TestProbeTellsAPlainUserWhatToDo(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to become a plain user without a cgroup")
	}
	need(t, cgroup.Memory)
	g := NewWithT(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), envRole+"=probe")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	user := start(t, cmd)
	user.tell(t)

	said, err := io.ReadAll(user.out)

	g.Expect(err).NotTo(HaveOccurred())
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	g.Expect(lines).To(HaveLen(3))
	for _, line := range lines {
		g.Expect(line).To(MatchRegexp(`^no (memory|pids|cpu) cgroup: .*permission denied; run this as root`))
	}
}
