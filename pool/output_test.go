package pool_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"

	. "github.com/onsi/gomega"
)

func TestALongTracebackStillTellsTheCause(t *testing.T) {
	takes.Seconds(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Delivery: pool.AtMostOnce})
	_, err := crowd.Call(bound(t), p, 500)
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Exits[0].Stderr).To(ContainSubstring("panic: not recovered"))
	g.Expect(len(lost.Exits[0].Stderr)).To(BeNumerically("<=", 4<<10))
	g.Expect(err).To(MatchError(ContainSubstring(`stderr: "panic: not recovered`)))
}

// crowd crashes with so many goroutines that the Go runtime writes a long report.
var crowd = pool.Register("crowd", func(_ context.Context, n int) (int, error) {
	debug.SetTraceback("all")
	for range n {
		go func() { select {} }()
	}
	return 0, perish("goroutine panic")
})

func TestAnOutputSinkThatUsesThePoolOrBlocksHoldsUpNoReplacement(t *testing.T) {
	long(t)
	beside(t)
	for name, sink := range map[string]func(p *pool.Pool, forever chan struct{}){
		"uses the pool": func(p *pool.Pool, _ chan struct{}) { p.Workers() },
		"blocks":        func(_ *pool.Pool, forever chan struct{}) { <-forever },
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			forever := make(chan struct{})
			var used atomic.Pointer[pool.Pool]
			p := start(t, pool.Config{Size: 1, Stderr: func(string, []byte) {
				if p := used.Load(); p != nil {
					sink(p, forever)
				}
			}})
			t.Cleanup(func() { close(forever) }) // before the pool's own, which looks for goroutines that are left
			used.Store(p)
			for range 2 {
				g.Expect(dieOnce.Call(bound(t), p, "goroutine panic")).To(Equal(2))
			}
			whole(t, p)
		})
	}
}

// envLoud makes this program one whose worker prints what it is told, so often; it says on descriptor 3 how that went.
const envLoud = "POOL_TEST_LOUD"

func init() {
	otherMains[envLoud] = func(how string) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		cfg := pool.Config{Size: 1}
		if how == "discarded" {
			cfg.Stdout, cfg.Stderr = pool.Discard, pool.Discard
		}
		p, err := pool.New(ctx, cfg)
		if err == nil {
			text := "hello"
			if how == "a lot" {
				text = strings.Repeat(strings.Repeat("x", 1000)+"\n", 8_000)
			}
			_, err = say.Call(ctx, p, text)
			p.Close()
		}
		report := os.NewFile(3, "report")
		if err != nil {
			report.WriteString(err.Error())
		}
		report.WriteString("well\n")
		os.Exit(0)
	}
}

// loud starts it with this stdout, and gives what it says at the end.
func loud(t *testing.T, how string, stdout *os.File) (said string, err error) {
	t.Helper()
	r, w, err := os.Pipe()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	defer r.Close()
	cmd := exec.CommandContext(bound(t), testProgram(NewWithT(t)))
	cmd.Env = append(os.Environ(), envLoud+"="+how)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = stdout, stdout, []*os.File{w}
	err = cmd.Start()
	w.Close()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	said, _ = bufio.NewReader(r).ReadString('\n')
	return said, cmd.Wait()
}

func TestWhatWorkersPrintPassesThroughWithTheirNames(t *testing.T) {
	for how, lines := range map[string][]string{"some": {"Worker-1: hello", "Worker-1: out: hello"}, "discarded": {}} {
		g := NewWithT(t)
		stdout, stderr, err := alone(t, "exec 3>/dev/null;", envLoud, how)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(strings.FieldsFunc(stderr+stdout, func(r rune) bool { return r == '\n' })).To(Equal(lines))
		g.Expect(stdout).NotTo(HavePrefix("Worker-1: hello"))
	}
}

func TestWhatWorkersPrintBlocksNobodyWhereItIsNotRead(t *testing.T) {
	long(t)
	g := NewWithT(t)
	r, w, err := os.Pipe()
	g.Expect(err).NotTo(HaveOccurred())
	defer r.Close()
	defer w.Close()
	g.Expect(loud(t, "a lot", w)).To(Equal("well\n"))
}

func TestAReaderOfTheOutputThatGoesAwayDoesNotEndTheHost(t *testing.T) {
	g := NewWithT(t)
	r, w, err := os.Pipe()
	g.Expect(err).NotTo(HaveOccurred())
	r.Close()
	defer w.Close()
	g.Expect(loud(t, "some", w)).To(Equal("well\n"))
}
