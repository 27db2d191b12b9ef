package floor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/respawn-go/respawn/internal/reexec"
)

// The roles of children.
const (
	roleHello = "hello" // one byte, then nothing
	roleEcho  = "echo"  // gives back messages of a size that the first eight bytes say
	rolePipe  = "pipe"  // squares a stream of framed numbers
)

// childFD is the child's end of the socket pair.
const childFD = 3

var _ = reexec.Floor.Serve(serve)

// serve is the life of a child in that role.
func serve(role string) {
	write([]byte{1})
	switch role {
	case roleEcho:
		var size [8]byte
		if !readFull(size[:]) {
			break
		}
		for b := make([]byte, binary.LittleEndian.Uint64(size[:])); readFull(b); {
			write(b)
		}
	case rolePipe:
		square()
	default:
		readFull(make([]byte, 1))
	}
}

func readFull(b []byte) bool {
	for len(b) > 0 {
		n, err := syscall.Read(childFD, b)
		if n <= 0 && !errors.Is(err, syscall.EINTR) {
			return false
		}
		b = b[max(n, 0):]
	}
	return true
}

func write(b []byte) {
	for len(b) > 0 {
		n, err := syscall.Write(childFD, b)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			os.Exit(1)
		}
		b = b[max(n, 0):]
	}
}

// child is a started child that has said its first byte.
type child struct {
	proc *os.Process
	conn *os.File
}

// start executes this program again in that role and waits for the first byte.
func start(role string) (*child, error) {
	marker, err := reexec.Floor.Marker(role)
	if err != nil {
		return nil, fmt.Errorf("floor: %w", err)
	}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("floor: socketpair: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "child")
	defer theirs.Close()
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		syscall.Close(fds[0])
		return nil, fmt.Errorf("floor: %w", err)
	}
	c := &child{conn: os.NewFile(uintptr(fds[0]), "parent")}
	c.proc, err = os.StartProcess(reexec.Program, []string{"respawn-floor"}, &os.ProcAttr{
		Env:   append(os.Environ(), marker),
		Files: []*os.File{nil, nil, os.Stderr, theirs},
	})
	if err != nil {
		c.conn.Close()
		return nil, fmt.Errorf("floor: %w", err)
	}
	theirs.Close() // or a child that dies would leave the read below waiting
	var b [1]byte
	if _, err := c.conn.Read(b[:]); err != nil {
		c.end()
		return nil, fmt.Errorf("floor: the child said nothing: %w", err)
	}
	return c, nil
}

// end kills the child and reaps it.
func (c *child) end() {
	_ = c.proc.Kill()
	_, _ = c.proc.Wait()
	c.conn.Close()
}
