package process

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/respawn-go/respawn/internal/reexec"
	"github.com/respawn-go/respawn/internal/wire"
)

// Launch is what every worker of a pool is started with. New settles it once: the program may change its directory and
// its environment afterwards, and a replacement is still what the first workers were.
type Launch struct {
	Program string   // an absolute path
	Command []string // of workers of another language: program, as it was found, and its arguments; else nil
	Env     []string // all but the worker's name
	Dir     *os.File // the directory itself, which may be renamed or removed; nil: the one that this process is in
	forkers *forkers // nil: whoever starts one forks
}

// errNoMemfd is the error of a memfd that is refused.
var errNoMemfd = errors.New(
	"workers share memory by memfds, which the kernel or a seccomp filter refuses here: allow memfd_create")

// Scarce tells whether a start failed for want of something that does not come back by itself, as processes and memory
// may.
func Scarce(err error) bool {
	for _, want := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EFBIG, wire.ErrAddressSpace, errNoMemfd} {
		if errors.Is(err, want) {
			return true
		}
	}
	return false
}

// Close gives back the directory.
func (l Launch) Close() {
	if l.Dir != nil {
		l.Dir.Close()
	}
}

// WorkerEnv is the environment of a pool's workers: the parent's, Config.Env, and ours, of which the later counts. The
// kernel would pass a name that is there twice as it is, and most programs take the first.
func WorkerEnv(base, own []string, id string) []string {
	env := slices.Concat(base, own, []string{reexec.Entry(id)})
	env = slices.DeleteFunc(env, func(kv string) bool {
		return strings.HasPrefix(kv, reexec.Worker.Env+"=") || strings.HasPrefix(kv, reexec.Protocol.Env+"=")
	})
	return (&exec.Cmd{Env: env}).Environ()
}
