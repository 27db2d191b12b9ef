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
	h := host{
		read:     func(b []byte) (int, error) { return readFull(fdTasks, b) },
		write:    func(b []byte) error { return writeAll(fdTasks, b) },
		die:      func() { _ = unix.Kill(unix.Getpid(), unix.SIGKILL); select {} },
		exit:     os.Exit,
		orphaned: orphaned,
	}
	var err error
	if h.page.mem, err = mapInherited(fdPage, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		os.Exit(1)
	}
	h.down, _ = mapInherited(fdDown, unix.PROT_READ)
	h.up, _ = mapInherited(fdUp, unix.PROT_READ|unix.PROT_WRITE)

	s := &server{host: h}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	booted := make(chan struct{})
	go s.readControl()
	go func() {
		<-terminated
		select {
		case <-booted:
			s.stop(true)
		default:
			os.Exit(0) // nothing was started yet
		}
	}()
	if err := s.boot(); err != nil {
		os.Stderr.WriteString("respawn worker: " + err.Error() + "\n")
		os.Exit(1)
	}
	close(booted)
	s.serve()
	os.Exit(1)
}

// readControl serves the control socket; its end means that the parent is gone, also while a handler runs.
func (s *server) readControl() {
	buf := make([]byte, 0, 64*controlSize)
	for {
		n, err := readFull(fdControl, buf[len(buf):cap(buf)])
		if n <= 0 || err != nil {
			orphaned()
		}
		buf = buf[:len(buf)+n]
		whole := len(buf) / controlSize * controlSize
		for i := 0; i < whole; i += controlSize {
			s.handleControl(decodeControl(buf[i:]))
		}
		buf = buf[:copy(buf, buf[whole:])]
	}
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
