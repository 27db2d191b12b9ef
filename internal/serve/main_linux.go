package serve

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/internal/wire"
)

// A process of this program that is marked as a worker serves.
var _ = reexec.Worker.Serve(func(name string) {
	Registry.frozen.Store(true)
	workerMain(name)
})

// workerMain serves on the inherited descriptors and never returns.
func workerMain(name string) {
	if err := checkInherited(); err != nil {
		os.Stderr.WriteString("respawn: " + reexec.Worker.Env + "=" + name +
			" in the environment says that this process is a pool's worker, but " +
			err.Error() + ": unset " + reexec.Worker.Env + " to run the program itself\n")
		os.Exit(1)
	}
	reexec.SetName(name)
	for fd := wire.TasksFD; fd <= wire.HostFD; fd++ {
		unix.CloseOnExec(fd)
	}
	terminated := make(chan os.Signal, 1)
	h := Host{
		Read:        func(b []byte) (int, error) { return readFull(wire.TasksFD, b) },
		ReadControl: func(b []byte) (int, error) { return pidfd.ReadBeside(wire.ControlFD, wire.HostFD, b) },
		Write:       func(b []byte) error { return writeAll(wire.TasksFD, b) },
		Terminated:  terminated,
		SettleIn: func() {
			signal.Notify(terminated, syscall.SIGTERM)
			volunteer()
		},
		Die:      die,
		Exit:     os.Exit,
		Orphaned: orphaned,
		Complain: func(err error) { os.Stderr.WriteString("respawn worker: " + err.Error() + "\n") },
	}
	for _, m := range []struct {
		fd, prot int
		mem      *[]byte
	}{
		{wire.PageFD, unix.PROT_READ | unix.PROT_WRITE, &h.Page.Mem},
		{wire.DownFD, unix.PROT_READ, &h.Down},
		{wire.UpFD, unix.PROT_READ | unix.PROT_WRITE, &h.Up},
	} {
		var err error
		if *m.mem, err = mapInherited(m.fd, m.prot); err != nil {
			h.Complain(err)
			os.Exit(1)
		}
	}
	New(h).Main()
}

// checkInherited tells whether the descriptors are those that a pool passes.
func checkInherited() error {
	for fd := wire.TasksFD; fd <= wire.ControlFD; fd++ {
		if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
			return fmt.Errorf("descriptor %d is no socket (%w)", fd, err)
		}
	}
	for fd := wire.PageFD; fd <= wire.UpFD; fd++ {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil {
			return fmt.Errorf("descriptor %d is no shared memory (%w)", fd, err)
		}
	}
	return nil
}

// die ends this process by the signal.
func die(sig syscall.Signal) {
	signal.Reset(sig)
	_ = unix.Kill(unix.Getpid(), sig)
	select {}
}

// orphaned ends everything in this worker's process group, which it leads.
func orphaned() {
	_ = unix.Kill(-unix.Getpid(), unix.SIGKILL)
	_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
	select {}
}

func readFull(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Read(fd, b)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.SendmsgN(fd, b, nil, nil, unix.MSG_NOSIGNAL)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		b = b[max(n, 0):]
	}
	return nil
}

// mapInherited maps a descriptor that the parent passed. The mapping stays; the descriptor too, marked close-on-exec.
func mapInherited(fd, prot int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(fd, 0, int(st.Size), prot, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		err = wire.MapFailed(int(st.Size), err)
	}
	return mem, err
}
