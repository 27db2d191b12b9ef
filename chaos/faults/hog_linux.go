package faults

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/cgroup"
	"github.com/respawn-go/respawn/internal/reexec"
)

var _ = reexec.Hog.Serve(func(string) {
	if err := playHog(); err != nil {
		fmt.Fprintln(os.Stderr, "hog:", err)
		os.Exit(1)
	}
})

// mouthful is how much the hog takes between two looks at the counter.
const mouthful = 64 << 10

// playHog says that it is ready, and does what a line from its standard input orders. It ends when its input does.
func playHog() error {
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	order, err := in.ReadString('\n')
	if err != nil {
		return nil //nolint:nilerr // it is not wanted any more
	}
	unwanted := make(chan struct{})
	go func() {
		defer close(unwanted)
		_, _ = io.Copy(io.Discard, in)
		os.Exit(0)
	}()
	var bytes int64
	if n, _ := fmt.Sscanf(order, holdBytes, &bytes); n == 0 {
		return useUp()
	}
	taken, err := fill(bytes, func() (bool, error) { return false, nil })
	if err != nil {
		return err
	}
	fmt.Printf(tookBytes+"\n", taken)
	<-unwanted
	return nil
}

// useUp takes memory until the kernel has killed somebody or gives no more.
func useUp() error {
	group, err := cgroup.Of(os.Getpid(), cgroup.Memory)
	if err != nil {
		return err
	}
	before, err := group.OOMKills()
	if err != nil {
		return err
	}
	_, err = fill(math.MaxInt64, func() (bool, error) {
		now, err := group.OOMKills()
		return now > before, err
	})
	return err
}

// fill takes so many bytes, by mouthfuls, unless enough says to stop, or the kernel gives no more: somebody was killed
// then, or is about to be. It returns how many it took. They are in a file without a name, since what a process has
// mapped counts against it when the kernel chooses; it stays open.
func fill(bytes int64, enough func() (bool, error)) (taken int64, err error) {
	fd, err := unix.MemfdCreate("hog", unix.MFD_CLOEXEC)
	if err != nil {
		return 0, err
	}
	piece := make([]byte, mouthful)
	for taken < bytes {
		n, err := unix.Write(fd, piece[:min(bytes-taken, mouthful)])
		if err != nil && err != unix.EINTR { //nolint:errorlint // a raw errno
			return taken, nil
		}
		taken += int64(max(n, 0))
		if done, err := enough(); err != nil || done {
			return taken, err
		}
	}
	return taken, nil
}
