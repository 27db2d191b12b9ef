package doctor

import (
	"context"
	"os"
	"os/exec"
	"syscall"

	"github.com/respawn-go/respawn/internal/reexec"
)

// namespaces starts a short-lived child in each kind that the tests use: the one that makes the kernel reuse pids needs
// a pid namespace with a /proc of its own.
func namespaces(context.Context) []Check {
	const use = "the test that makes the kernel reuse process numbers"
	const remedy = "run as root, or allow them to users: sysctl kernel.unprivileged_userns_clone=1 (or " +
		"user.max_user_namespaces)"
	user := uintptr(0)
	if os.Geteuid() != 0 {
		user = syscall.CLONE_NEWUSER
	}
	return []Check{
		found("user namespace", use, remedy, inNamespace(syscall.CLONE_NEWUSER), "can be made"),
		found("pid namespace", use, remedy, inNamespace(user|syscall.CLONE_NEWPID), "can be made"),
		found("mount namespace", use, remedy, inNamespace(user|syscall.CLONE_NEWNS), "can be made"),
	}
}

func inNamespace(flags uintptr) error {
	cmd := exec.Command(reexec.Program, "--version")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	return cmd.Run()
}
