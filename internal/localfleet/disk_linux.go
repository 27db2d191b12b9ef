package localfleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/reexec"
)

// newDisk makes a disk. Who may mount nothing has it made in a user namespace.
func newDisk(bytes int64) (*disk, error) {
	root, err := mount(bytes)
	if errors.Is(err, unix.EPERM) {
		root, err = given(bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: it takes Linux 5.2, and root or user namespaces: %w", ErrNoDisk, err)
	}
	d := &disk{root: root}
	if err := os.Mkdir(d.store(), 0o700); err != nil {
		d.close()
		return nil, fmt.Errorf("%w: %w", ErrNoDisk, err)
	}
	return d, nil
}

// mount makes a file system in memory that is mounted nowhere, and gives its root.
func mount(bytes int64) (*os.File, error) {
	made, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("fsopen", err)
	}
	defer unix.Close(made)
	for key, value := range map[string]string{"size": strconv.FormatInt(bytes, 10), "mode": "0700"} {
		if err := unix.FsconfigSetString(made, key, value); err != nil {
			return nil, os.NewSyscallError("fsconfig "+key, err)
		}
	}
	if err := unix.FsconfigCreate(made); err != nil {
		return nil, os.NewSyscallError("fsconfig", err)
	}
	root, err := unix.Fsmount(made, unix.FSMOUNT_CLOEXEC,
		unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("fsmount", err)
	}
	return os.NewFile(uintptr(root), "a broker's disk"), nil
}

// diskPart is a process in a user namespace, where it may mount, that makes a disk, gives it away and ends.
type diskPart struct{ Bytes int64 }

func (p *diskPart) give() error {
	root, err := mount(p.Bytes)
	if err != nil {
		return err
	}
	return unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(root.Fd())), nil, 0)
}

// given has such a process make it.
func given(bytes int64) (*os.File, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "disk"), os.NewFile(uintptr(pair[1]), "disk")
	defer ours.Close()
	defer theirs.Close()
	arg, err := json.Marshal(part{Disk: &diskPart{bytes}})
	if err != nil {
		return nil, err
	}
	marker, err := reexec.Part.Marker(string(arg))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(reexec.Program)
	cmd.Env, cmd.ExtraFiles = append(os.Environ(), marker), []*os.File{theirs}
	cmd.Stdin = strings.NewReader("\x00") // for which each part waits
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %.200s", err, said)
	}
	c, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := c.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("no descriptor came: %w", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("no descriptor came: %w", err)
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), "a broker's disk"), nil
}
