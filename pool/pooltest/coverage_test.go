package pooltest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

// A module of one handler, whose test calls it in a worker's process and closes the pool.
func TestWhatAHandlerCoversInAWorkerCountsUnderGoTestCover(t *testing.T) {
	g, profile := NewWithT(t), filepath.Join(t.TempDir(), "cover.out")
	said, err := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-covermode=set", "-coverprofile", profile,
		"./testdata/covered").CombinedOutput()
	g.Expect(err).NotTo(HaveOccurred(), "%s", said)
	counted, err := os.ReadFile(profile)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(counted)).To(MatchRegexp(`(?m)^.*/covered\.go:10\.\d+,12\.\d+ 1 1$`), "the handler's statement ran")
}
