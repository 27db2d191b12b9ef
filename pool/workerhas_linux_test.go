package pool_test

import (
	"context"
	"flag"
	"os"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/pool"
)

// possessions is what a process has of its program and of whoever started it.
type possessions struct {
	Args                     []string
	FlagsParsed              bool
	FromInit                 string
	Stdin                    string
	PID, Session, Group      int
	Terminal                 bool
	MarkedWorker, MarkedPool string
	Declared                 string
}

var (
	declared   = "as declared" // what handlers see
	fromInit   string
	possessing = pool.Register("possessing", func(context.Context, int) (possessions, error) { return possess() })
)

func init() { fromInit = "by init" }

func possess() (p possessions, err error) {
	session, _, _ := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
	terminal, openErr := os.Open("/dev/tty")
	if openErr == nil {
		terminal.Close()
	}
	p = possessions{
		Args: os.Args, FlagsParsed: flag.Parsed(), FromInit: fromInit, Declared: declared, PID: os.Getpid(), Session: int(session),
		Group: syscall.Getpgrp(), Terminal: openErr == nil, MarkedWorker: os.Getenv("RESPAWN_WORKER"), MarkedPool: os.Getenv("RESPAWN_POOL"),
	}
	p.Stdin, err = os.Readlink("/proc/self/fd/0")
	return p, err
}

// docs/workers.md promises these.
func TestAWorkerHasWhatItsProgramIsAndNotWhatMainHasDone(t *testing.T) {
	g := NewWithT(t)
	declared = "by the host"
	defer func() { declared = "as declared" }()
	p := start(t, pool.Config{Size: 1})
	has, err := possessing.Call(bound(t), p, 0)
	g.Expect(err).NotTo(HaveOccurred())
	name := p.Workers()[0].Name
	g.Expect(has).To(Equal(possessions{
		Args: []string{"respawn-worker " + name}, FromInit: "by init", Declared: "as declared", Stdin: os.DevNull,
		PID: has.PID, Session: has.PID, Group: has.PID, MarkedPool: p.ID(),
	}))
	g.Expect(has.PID).NotTo(Equal(os.Getpid()))
	g.Expect(flag.Parsed()).To(BeTrue(), "as they are here")
}
