package driver_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios/targets/driver"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// python is the system's own where there is one, since that is where the distribution's packages are.
func python() string {
	if _, err := os.Stat("/usr/bin/python3"); err == nil {
		return "/usr/bin/python3"
	}
	return "python3"
}

// The driver that docs/drivers.md shows keeps the protocol that it explains.
func TestTheDriverOfThePageKeepsTheProtocol(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	g := NewWithT(t)
	page, err := os.ReadFile("../../../docs/drivers.md")
	g.Expect(err).NotTo(HaveOccurred())
	_, code, _ := strings.Cut(string(page), "```python\n")
	code, _, found := strings.Cut(code, "```")
	g.Expect(found).To(BeTrue())
	c := command(t, "page")
	c.Argv, c.Timeouts = []string{python(), filepath.Join(t.TempDir(), "my_pool.py")}, driver.Timeouts{}
	g.Expect(os.WriteFile(c.Argv[1], []byte(code), 0o600)).To(Succeed())
	r, err := driver.Check(t.Context(), c)
	var missing *foreign.NotInstalledError
	if errors.As(err, &missing) {
		t.Skip(missing)
	}
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.OK()).To(BeTrue(), r.String())
}

func TestOurDriversKeepTheProtocol(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	argvs := [][]string{
		{python(), "multiprocessing_pool.py"},
		{"node", "workerpool.mjs"},
	}
	if takes.Every() {
		argvs = append(argvs, [][]string{
			{python(), "process_pool_executor.py"},
			{python(), "pebble_pool.py"},
			{python(), "loky_executor.py"},
			{python(), "billiard_pool.py"},
			{"node", "jest_worker.mjs"},
			{"node", "tinypool.mjs"},
			{"node", "poolifier.mjs"},
			{"node", "worker_farm.mjs"},
			{python(), "distributed_cluster.py"},
		}...)
	}
	semaphores := func() []string { names, _ := filepath.Glob("/dev/shm/sem.loky-*"); return names }
	before := semaphores()
	added := func() []string {
		return slices.DeleteFunc(semaphores(), func(name string) bool { return slices.Contains(before, name) })
	}
	results := checkAll(t, argvs, func(argv []string) driver.Command {
		c := command(t, argv[1])
		c.Argv, c.Dir, c.Timeouts = argv, "../../drivers", driver.Timeouts{}
		return c
	})
	for i, argv := range argvs {
		t.Run(argv[1], func(t *testing.T) {
			g := NewWithT(t)
			r := <-results[i]
			var missing *foreign.NotInstalledError
			if errors.As(r.error, &missing) {
				t.Skip(missing)
			}
			g.Expect(r.error).NotTo(HaveOccurred())
			g.Expect(r.OK()).To(BeTrue(), r.String())
			t.Log(r.Report)
		})
	}
	// Semaphores are unlinked by a helper process, which a driver that kills all its children would kill too.
	NewWithT(t).Eventually(added).WithTimeout(20 * time.Second).Should(BeEmpty())
}

// The pool of another directory's project is found from there.
func TestTheWorkerpoolOfTheWorkingDirectoryIsFound(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip(err)
	}
	beside := t.TempDir() // where nothing is installed
	for _, name := range []string{"workerpool.mjs", "respawn_driver.mjs"} {
		source, err := os.ReadFile(filepath.Join("../../drivers", name))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(os.WriteFile(filepath.Join(beside, name), source, 0o600)).To(Succeed())
	}
	script := filepath.Join(beside, "workerpool.mjs")
	hello := func(dir string) string {
		cmd := exec.Command("node", script)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(`{"op":"hello","protocol":1}`+"\n")
		out, err := cmd.Output()
		g.Expect(err).NotTo(HaveOccurred())
		return string(out)
	}
	dir := t.TempDir()
	g.Expect(hello(dir)).To(ContainSubstring(`"install":"npm install workerpool"`))
	of := filepath.Join(dir, "node_modules", "workerpool")
	g.Expect(os.MkdirAll(of, 0o700)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(of, "package.json"), []byte(`{"version": "1.2.3"}`), 0o600)).To(Succeed())
	g.Expect(os.WriteFile(filepath.Join(of, "index.js"), []byte(`exports.isMainThread = true`), 0o600)).To(Succeed())
	g.Expect(hello(dir)).To(ContainSubstring(`"version":"1.2.3"`))
}
