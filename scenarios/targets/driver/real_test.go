package driver_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	. "github.com/onsi/gomega"

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

func TestOurDriversKeepTheProtocol(t *testing.T) {
	t.Parallel()
	argvs := [][]string{
		{python(), "multiprocessing_pool.py"},
		{python(), "process_pool_executor.py"},
		{python(), "pebble_pool.py"},
		{python(), "loky_executor.py"},
		{python(), "billiard_pool.py"},
		{"node", "workerpool.mjs"},
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
