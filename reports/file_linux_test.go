package reports_test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/refuse"
	"github.com/respawn-go/respawn/reports"
)

// Some file systems know no modes, and refuse to set one: what was to be written is no worse for it.
func TestAFileWhoseModeCannotBeSetIsWrittenAllTheSame(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "report")
	g.Expect(os.WriteFile(path, []byte("old"), 0o640)).To(Succeed())
	var mode, err error
	if refused := refuse.Here(unix.SYS_FCHMOD, func() {
		var f *os.File
		if f, mode = os.Open(path); mode == nil {
			mode = f.Chmod(0o600)
			f.Close()
		}
		err = reports.WriteFile(path, says("new"))
	}); refused != nil {
		t.Skipf("needs seccomp filters: %v", refused)
	}
	g.Expect(mode).To(MatchError(os.ErrPermission), "it is as on such a file system")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(text(g, path)).To(Equal("new"))
	g.Expect(os.ReadDir(filepath.Dir(path))).To(HaveLen(1))
}
