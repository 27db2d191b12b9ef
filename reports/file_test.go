package reports_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/reports"
)

func says(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func text(g *WithT, path string) string {
	data, err := os.ReadFile(path)
	g.Expect(err).NotTo(HaveOccurred())
	return string(data)
}

// What is no regular file is written into and stays what it is: replacing /dev/null would take it from the whole
// machine.
func TestAFileThatIsWrittenDoesNotReplaceAPipeOrADevice(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	g.Expect(syscall.Mkfifo(pipe, 0o600)).To(Succeed())
	got := make(chan string, 1)
	go func() {
		data, _ := os.ReadFile(pipe)
		got <- string(data)
	}()
	g.Expect(reports.Writable(pipe)).To(Succeed())
	g.Expect(reports.WriteFile(pipe, says("hello"))).To(Succeed())
	g.Eventually(got).Should(Receive(Equal("hello")))
	info, err := os.Lstat(pipe)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Mode().Type()).To(Equal(os.ModeNamedPipe))

	link := filepath.Join(dir, "null")
	g.Expect(os.Symlink(os.DevNull, link)).To(Succeed())
	for _, path := range []string{os.DevNull, link} {
		g.Expect(reports.Writable(path)).To(Succeed())
		g.Expect(reports.WriteFile(path, says("hello"))).To(Succeed())
	}
	info, err = os.Lstat(os.DevNull)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Mode().IsRegular()).To(BeFalse())
	g.Expect(os.Readlink(link)).To(Equal(os.DevNull))
}

func TestAFileThatIsWrittenThroughADescriptorDoesNotReplaceWhatIsOpenThere(t *testing.T) {
	g := NewWithT(t)
	f, err := os.Create(filepath.Join(t.TempDir(), "open"))
	g.Expect(err).NotTo(HaveOccurred())
	defer f.Close()
	_, err = f.WriteString("first ")
	g.Expect(err).NotTo(HaveOccurred())
	through := filepath.Join("/proc/self/fd", fmt.Sprint(f.Fd()))
	if _, err := os.Stat(through); err != nil {
		t.Skip(err)
	}
	g.Expect(reports.WriteFile(through, says("second"))).To(Succeed())
	g.Expect(text(g, f.Name())).To(Equal("first second"))
	now, err := os.Stat(f.Name())
	g.Expect(err).NotTo(HaveOccurred())
	then, err := f.Stat()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(os.SameFile(now, then)).To(BeTrue())
}

func TestAFileThatIsWrittenFollowsLinksAndKeepsItsMode(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	real, link, dangling := filepath.Join(dir, "real"), filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	g.Expect(os.WriteFile(real, []byte("old"), 0o600)).To(Succeed())
	g.Expect(os.Symlink("real", link)).To(Succeed())
	g.Expect(os.Symlink("not yet", dangling)).To(Succeed())
	g.Expect(reports.WriteFile(link, says("new"))).To(Succeed())
	g.Expect(text(g, real)).To(Equal("new"))
	info, err := os.Lstat(link)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Mode().Type()).To(Equal(os.ModeSymlink))
	info, err = os.Stat(real)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(info.Mode().Perm()).To(Equal(os.FileMode(0o600)))
	g.Expect(reports.WriteFile(dangling, says("made"))).To(Succeed())
	g.Expect(text(g, filepath.Join(dir, "not yet"))).To(Equal("made"))

	loop := filepath.Join(dir, "loop")
	g.Expect(os.Symlink("loop", loop)).To(Succeed())
	g.Expect(reports.WriteFile(loop, says("never"))).NotTo(Succeed())
}

// A write that fails leaves what was there, and nothing beside it.
func TestAFileThatCouldNotBeWrittenIsAsItWas(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "report")
	g.Expect(os.WriteFile(path, []byte("old"), 0o600)).To(Succeed())
	full := errors.New("no space")
	g.Expect(reports.WriteFile(path, func(io.Writer) error { return full })).To(MatchError(full))
	g.Expect(text(g, path)).To(Equal("old"))
	g.Expect(os.ReadDir(dir)).To(HaveLen(1))
}

func TestWhatCannotBeWrittenIsSaidInAdvance(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir:                                "it is a directory: want a file",
		filepath.Join(dir, "no", "report"): "there is no directory " + filepath.Join(dir, "no"),
	} {
		g.Expect(reports.Writable(path)).To(MatchError(ContainSubstring(want)))
		g.Expect(reports.WriteFile(path, says("x"))).To(MatchError(ContainSubstring(want)))
	}
	g.Expect(reports.Writable(filepath.Join(dir, "report"))).To(Succeed())
	g.Expect(os.ReadDir(dir)).To(BeEmpty(), "asking leaves nothing")

	if os.Geteuid() == 0 {
		t.Log("root may write everywhere: the rest is not tried")
		return
	}
	shut := filepath.Join(dir, "shut")
	g.Expect(os.Mkdir(shut, 0o700)).To(Succeed())
	old := filepath.Join(shut, "old")
	g.Expect(os.WriteFile(old, []byte("old"), 0o600)).To(Succeed())
	g.Expect(os.Chmod(shut, 0o500)).To(Succeed())
	defer os.Chmod(shut, 0o700) //nolint:errcheck // for the removal
	g.Expect(reports.Writable(filepath.Join(shut, "new"))).To(MatchError(ContainSubstring("permission denied")))
	g.Expect(reports.Writable(old)).To(Succeed())
	g.Expect(reports.WriteFile(old, says("new"))).To(Succeed())
	g.Expect(text(g, old)).To(Equal("new"))
}
