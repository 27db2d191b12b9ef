package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// UnsupportedError says why a controller cannot be had, and what would help.
type UnsupportedError struct {
	Controller Controller
	Reason     string
	Remedy     string
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("no %s cgroup: %s; %s", e.Controller, e.Reason, e.Remedy)
}

// The remedies.
const (
	beRoot    = "run this as root"
	delegated = "run this as root, or in a cgroup of its own: systemd-run --user --scope -p Delegate=yes COMMAND"
	ownGroup  = "run this in a cgroup of its own (systemd-run --scope -p Delegate=yes COMMAND), or in a container " +
		"first move the other processes to a child group"
	writable = "mount it read-write (in a container: --privileged)"
	enabled  = "enable it in cgroup.subtree_control of the groups above, or as root: systemctl edit user@.service, " +
		"Delegate=cpu memory pids"
	inKernel  = "boot a kernel that has it, without cgroup_disable=, and mount it"
	newKernel = "use a newer kernel"
)

// refused says what to do about an error of the system that means that this process may not.
func refused(c Controller, version int, err error) error {
	var remedy string
	switch {
	case errors.Is(err, syscall.EROFS):
		remedy = writable
	case errors.Is(err, fs.ErrPermission) && version == 1:
		remedy = beRoot
	case errors.Is(err, fs.ErrPermission):
		remedy = delegated
	case errors.Is(err, syscall.EBUSY):
		remedy = ownGroup
	default:
		return fmt.Errorf("%s cgroup: %w", c, err)
	}
	return &UnsupportedError{c, err.Error(), remedy}
}
