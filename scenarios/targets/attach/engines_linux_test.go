package attach_test

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/scenarios/targets/attach"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// rootfs is a directory with a shell as its only program, a busybox that needs no libraries.
func rootfs(t *testing.T) string {
	t.Helper()
	g := NewWithT(t)
	busybox, err := exec.LookPath("busybox")
	if err != nil || os.Getuid() != 0 {
		t.Skip("needs root and busybox: apt-get install busybox-static")
	}
	dir := filepath.Join(t.TempDir(), "rootfs")
	bin := filepath.Join(dir, "bin")
	g.Expect(os.MkdirAll(bin, 0o755)).To(Succeed())
	data, err := os.ReadFile(busybox)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(filepath.Join(bin, "sh"), data, 0o755)).To(Succeed())
	g.Expect(os.Link(filepath.Join(bin, "sh"), filepath.Join(bin, "sleep"))).To(Succeed()) // both are one program
	return dir
}

// engines start a container with that root which runs a shell, and return its name.
var engines = map[string]func(t *testing.T, rootfs, shell string) (name string){"runc": runRunc, "podman": runPodman}

// needs skips where an engine is not installed.
func needs(t *testing.T, engine string) {
	t.Helper()
	if _, err := exec.LookPath(engine); err != nil {
		t.Skipf("needs %s: apt-get install %[1]s", engine)
	}
}

func nameOf() string { return "respawn-test-" + strings.ToLower(rand.Text()[:8]) }

func runPodman(t *testing.T, rootfs, shell string) (name string) {
	t.Helper()
	needs(t, "podman")
	name = nameOf()
	t.Cleanup(func() { _ = exec.Command("podman", "rm", "--force", "--time", "0", name).Run() })
	limit := "1024:1024" // its own are more than a container may have where this one runs in another
	out, err := exec.Command("podman", "--cgroup-manager=cgroupfs", "run", "--detach", "--name", name,
		"--network", "none",
		"--ulimit", "nofile="+limit, "--ulimit", "nproc="+limit, "--rootfs", rootfs, "sh", "-c", shell).CombinedOutput()
	if err != nil {
		t.Skipf("this host runs no containers: %v: %s", err, out)
	}
	return name
}

func runRunc(t *testing.T, rootfs, shell string) (name string) {
	t.Helper()
	needs(t, "runc")
	g := NewWithT(t)
	bundle := filepath.Dir(rootfs)
	in := func(words ...string) ([]byte, error) {
		cmd := exec.Command("runc", words...)
		cmd.Dir = bundle
		return cmd.Output() // what the container has of it is /dev/null
	}
	_, err := in("spec")
	g.Expect(err).NotTo(HaveOccurred())
	var config map[string]any
	text, err := os.ReadFile(filepath.Join(bundle, "config.json"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(json.Unmarshal(text, &config)).To(Succeed())
	process := config["process"].(map[string]any)
	process["terminal"], process["args"] = false, []string{"sh", "-c", shell}
	text, err = json.Marshal(config)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.WriteFile(filepath.Join(bundle, "config.json"), text, 0o600)).To(Succeed())

	name = nameOf()
	t.Cleanup(func() { _, _ = in("delete", "-f", name) })
	cmd := exec.Command("runc", "run", "--detach", name)
	cmd.Dir = bundle
	if err := cmd.Run(); err != nil {
		t.Skipf("this host runs no containers: %v", err)
	}
	return name
}

// In a container the first process adopts what a killed member had started, which is no replacement of it.
func TestAContainerIsAttachedTo(t *testing.T) {
	for engine, run := range engines {
		t.Run(engine, func(t *testing.T) {
			attachTo(t, run(t, rootfs(t), "member() { while :; do sleep 3600; done; }; member & member & wait"))
		})
	}
}

func attachTo(t *testing.T, name string) {
	t.Helper()
	g := NewWithT(t)
	s := &attach.Settings{Container: name, Owner: "0"}
	var seen kind.Seen
	g.Eventually(func() int { seen, _ = s.Look(); return len(seen.Members) }).WithTimeout(20 * time.Second).
		Should(Equal(2))
	g.Expect(seen.What).To(Equal("the children of the container " + name))
	target, err := s.Open(t.Context(), kind.Place{Consent: yes})
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { g.Expect(target.End()).To(Succeed()) }()
	before, err := target.Members(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	victim, err := os.FindProcess(before[0].PID)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(victim.Kill()).To(Succeed())
	pids := func() (pids []int) {
		list, _ := target.Members(t.Context())
		for _, m := range list {
			pids = append(pids, m.PID)
		}
		return pids
	}
	g.Eventually(pids).WithTimeout(20 * time.Second).Should(Equal([]int{before[1].PID}))
	g.Consistently(pids, "1s").Should(Equal([]int{before[1].PID}))
}
