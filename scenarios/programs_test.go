package scenarios_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/scenarios"
)

// Where the programs are installed, they do what the track record says of them.
func TestProgramsOfOthersDoWhatTheyAreKnownFor(t *testing.T) {
	files, err := filepath.Glob("programs/*.yaml")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(len(files)).To(BeNumerically(">=", 5))
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			g := NewWithT(t)
			s, err := scenarios.ReadFile(file, scenarios.Options{})
			g.Expect(err).NotTo(HaveOccurred())
			program := map[string]string{
				"uvicorn": "uvicorn", "hypercorn": "hypercorn", "supervisord-once": "supervisord",
			}[s.Name]
			if testing.Short() || program == "" {
				return
			}
			if _, err := exec.LookPath(program); err != nil {
				t.Skip("needs " + program + ": scenarios/programs/install.sh")
			}
			r, err := s.Run(t.Context(), scenarios.RunOptions{Dir: t.TempDir()})
			g.Expect(err).NotTo(HaveOccurred())
			want := check.Fail
			if s.Name == "supervisord-once" {
				want = check.Pass
			}
			g.Expect(r.Verdict).To(Equal(want), r.Cause)
		})
	}
}
