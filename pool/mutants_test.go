package pool_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// envMutant names, by number, the way in which every pool of this process is broken.
const envMutant = "POOL_TEST_MUTANT"

// broken is how the pools made by start are broken.
var broken = func() pool.Mutant {
	n, err := strconv.Atoi(os.Getenv(envMutant))
	if err == nil {
		patience = 3 * time.Second // it is not coming
	}
	return pool.Mutant(n)
}()

// Each promise has a test, and each of these tests must fail when the promise is broken on purpose.
func TestEachMutantIsKilled(t *testing.T) {
	if broken != 0 {
		return
	}
	for mutant, test := range map[pool.Mutant]string{
		pool.MutantShiftBlame:  "TestOnlyTheTaskThatWasRunningIsBlamed",
		pool.MutantDropRequeue: "TestKillOfABusyWorkerRerunsItsTaskAndTouchesNoSibling",
		pool.MutantNoRestart:   "TestKillOfABusyWorkerRerunsItsTaskAndTouchesNoSibling",
		pool.MutantUnsealed:    "TestASharedSegmentCannotBeResizedOrWrittenAgainstTheHostsWill",
	} {
		t.Run(fmt.Sprintf("%d by %s", mutant, test), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+test+"$", "-test.timeout=1m")
			cmd.Env = append(os.Environ(), envMutant+"="+strconv.Itoa(int(mutant)))
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			NewWithT(t).Expect(err).To(BeAssignableToTypeOf(exit), "the test passed with a broken pool:\n%s", out)
		})
	}
}
