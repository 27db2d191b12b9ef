package process

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/wire"
)

// open makes the parent's side and returns the files that the child inherits, in the order of its descriptors.
func (p *osProcess) open(spec Spec) (files []*os.File, err error) {
	fail := func(what string, err error) ([]*os.File, error) { return files, fmt.Errorf("%s: %w", what, err) }
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fail("open "+os.DevNull, err)
	}
	files = append(files, null)
	if files, err = p.openOutput(files, nil, spec.Stdout); err != nil {
		return fail("make the stdout pipe", err)
	}
	if files, err = p.openOutput(files, &p.tail, spec.Stderr); err != nil {
		return fail("make the stderr pipe", err)
	}
	if p.tasks, files, err = socketPair(files, "tasks"); err != nil {
		return fail("make the task socket", err)
	}
	if p.ctl, files, err = socketPair(files, "control"); err != nil {
		return fail("make the control socket", err)
	}
	if p.rawTask, err = p.tasks.SyscallConn(); err != nil {
		return fail("task socket", err)
	}
	if p.rawCtl, err = p.ctl.SyscallConn(); err != nil {
		return fail("control socket", err)
	}
	type segment struct {
		name string
		size int
		mem  *[]byte
		seal int
	}
	arena := int(spec.MaxPayload) + wire.ArenaSlack
	if spec.Command == nil { // nothing of a worker of another language is lent
		arena *= wire.Places
	}
	segments := []segment{
		{"page", wire.PageSize, &p.board.Mem, 0},
		{"down", arena, &p.down, unix.F_SEAL_FUTURE_WRITE},
		{"up", arena, &p.up, 0},
	}
	if spec.Command != nil {
		pipe, worker, err := newTicketPipe()
		if err != nil {
			return fail("make the pipe of tickets", err)
		}
		p.pipe, p.tickets = pipe, newTickets(pipe)
		files, segments = append(files, worker), segments[1:]
	}
	for _, m := range segments {
		f, err := shared(m.name, m.size, m.mem, m.seal, spec.Unsealed)
		if err != nil {
			return fail("make shared memory", err)
		}
		files = append(files, f)
	}
	if spec.Command != nil {
		return files, nil
	}
	host, err := pidfd.Self()
	if err != nil {
		return fail("open a pidfd of this process", err)
	}
	return append(files, host), nil
}

// openOutput appends the child's end of an output pipe, or the null device if nobody wants what it would carry.
func (p *osProcess) openOutput(files []*os.File, keep *tail, sink func([]byte)) ([]*os.File, error) {
	if keep == nil && sink == nil {
		return append(files, files[0]), nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return files, err
	}
	o := &output{pipe: r, tail: keep, sink: sink}
	p.outputs = append(p.outputs, o)
	p.copying.Go(o.copy)
	return append(files, w), nil
}

// socketPair appends the child's end, which is blocking, to files and returns the parent's.
func socketPair(files []*os.File, name string) (*os.File, []*os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, files, err
	}
	files = append(files, os.NewFile(uintptr(fds[1]), name))
	if err := unix.SetNonblock(fds[0], true); err != nil {
		unix.Close(fds[0])
		return nil, files, err
	}
	return os.NewFile(uintptr(fds[0]), name), files, nil
}

// shared makes a sealed memfd and maps it: sealed, because a worker that truncates it would kill the parent with
// SIGBUS at its next access (memfd_create(2), fcntl(2) "File Sealing"). The size is only a bound: memory is taken
// page by page when it is first touched.
func shared(name string, size int, mem *[]byte, seal int, unsealed bool) (*os.File, error) {
	fd, err := unix.MemfdCreate("respawn-"+name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		err = fmt.Errorf("%w: %w", err, errNoMemfd)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		f.Close()
		return nil, fmt.Errorf("ftruncate to %d bytes, of Config.MaxPayload and a few more, which a limit of the "+
			"file size (ulimit -f) must allow: %w", size, err)
	}
	m, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		f.Close()
		return nil, wire.MapFailed(size, err)
	}
	if *mem = m; unsealed {
		return f, nil
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS,
		unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|seal|unix.F_SEAL_SEAL); err != nil {
		f.Close()
		return nil, fmt.Errorf("F_ADD_SEALS: %w", err)
	}
	return f, nil
}

func closeAll(files []*os.File) {
	for i, f := range files {
		if i == 0 || f != files[0] {
			f.Close()
		}
	}
}
