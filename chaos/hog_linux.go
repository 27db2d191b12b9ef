package chaos

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/cgroup"
)

func init() {
	if os.Getenv(hogEntry) != "" {
		if err := playHog(); err != nil {
			fmt.Fprintln(os.Stderr, "hog:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// mouthful is how much the hog takes between two looks at the counter.
const mouthful = 64 << 10

// playHog says that it is ready, and at a line from its standard input takes memory until the kernel has killed somebody or
// gives no more. It ends when its input does. What it takes is in a file without a name, since what a process has mapped
// counts against it when the kernel chooses.
func playHog() error {
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return nil //nolint:nilerr // it is not wanted any more
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		os.Exit(0)
	}()
	group, err := cgroup.Of(os.Getpid(), cgroup.Memory)
	if err != nil {
		return err
	}
	before, err := group.OOMKills()
	if err != nil {
		return err
	}
	fd, err := unix.MemfdCreate("hog", unix.MFD_CLOEXEC)
	if err != nil {
		return err
	}
	piece := make([]byte, mouthful)
	for {
		if _, err := unix.Write(fd, piece); err != nil && err != unix.EINTR { //nolint:errorlint // a raw errno
			return nil // no more: somebody was killed, or is about to be
		}
		if now, err := group.OOMKills(); err != nil || now > before {
			return err
		}
	}
}
