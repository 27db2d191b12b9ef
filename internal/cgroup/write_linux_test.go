package cgroup_test

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/cgroup"
)

// The runtime has what can be polled not block, as the files of control groups and named pipes: a kernel takes that for
// the wish that a limit on memory be set and not enforced.
func TestValuesAreWrittenByADescriptorThatBlocks(t *testing.T) {
	g, dir := NewWithT(t), t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	g.Expect(syscall.Mkfifo(pipe, 0o600)).To(Succeed())
	reader, err := os.OpenFile(pipe, os.O_RDWR, 0) // which waits for nobody
	g.Expect(err).NotTo(HaveOccurred())
	value, written := strings.Repeat("x", 1<<20), make(chan error, 1)
	go func() { written <- cgroup.Write(dir, "pipe", value) }()

	// of all descriptors of the pipe but the reader's
	flags := func() (all []int) {
		names, _ := filepath.Glob("/proc/self/fd/*")
		for _, name := range names {
			if to, _ := os.Readlink(name); to != pipe {
				continue
			}
			fd, _ := strconv.Atoi(filepath.Base(name))
			if f, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err == nil && f&unix.O_ACCMODE == unix.O_WRONLY {
				all = append(all, f&unix.O_NONBLOCK)
			}
		}
		return all
	}
	_, err = reader.Read(make([]byte, 1)) // the rest is more than a pipe holds
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(flags()).To(Equal([]int{0}))

	go func() { _, _ = io.Copy(io.Discard, reader) }()
	g.Eventually(written).WithTimeout(20 * time.Second).Should(Receive(BeNil()))
	g.Expect(reader.Close()).To(Succeed())
}
