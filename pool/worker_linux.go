package pool

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// workerMain serves on the inherited descriptors and never returns.
func workerMain() {
	for fd := fdTasks; fd <= fdUp; fd++ {
		unix.CloseOnExec(fd)
	}
	terminated := make(chan os.Signal, 1)
	h := host{
		read:        func(b []byte) (int, error) { return readFull(fdTasks, b) },
		readControl: func(b []byte) (int, error) { return readFull(fdControl, b) },
		write:       func(b []byte) error { return writeAll(fdTasks, b) },
		terminated:  terminated,
		settleIn: func() {
			signal.Notify(terminated, syscall.SIGTERM)
			volunteer()
		},
		die:      die,
		exit:     os.Exit,
		orphaned: orphaned,
		complain: func(err error) { os.Stderr.WriteString("respawn worker: " + err.Error() + "\n") },
	}
	var err error
	if h.page.mem, err = mapInherited(fdPage, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		os.Exit(1)
	}
	h.down, _ = mapInherited(fdDown, unix.PROT_READ)
	h.up, _ = mapInherited(fdUp, unix.PROT_READ|unix.PROT_WRITE)
	newServer(h).main()
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
	return unix.Mmap(fd, 0, int(st.Size), prot, unix.MAP_SHARED|unix.MAP_NORESERVE)
}
