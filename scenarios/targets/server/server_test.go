package server_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos/witness"
	"github.com/respawn-go/respawn/internal/procfs"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/scenarios/targets/foreign"
	"github.com/respawn-go/respawn/scenarios/targets/server"
)

func TestMain(m *testing.M) {
	pool.Main()
	takes.SideBySide(6)
	os.Exit(m.Run())
}

func bound(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// eachKind runs the test with each server that is installed.
func eachKind(t *testing.T, test func(t *testing.T, s *server.Server)) {
	t.Helper()
	t.Parallel()
	for _, kind := range server.Kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "respawn-server-") // unlike t.TempDir's, nobody can reach it
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			defer os.RemoveAll(dir)
			s, err := server.Start(bound(t), server.Config{Kind: kind, Size: 3, Dir: dir})
			var missing *foreign.NotInstalledError
			if errors.As(err, &missing) {
				t.Skip(missing)
			}
			NewWithT(t).Expect(err).NotTo(HaveOccurred())
			defer func() { NewWithT(t).Expect(s.Close()).To(Succeed()) }()
			test(t, s)
		})
	}
}

func TestRequestsAreAnsweredByTheWorkers(t *testing.T) {
	eachKind(t, func(t *testing.T, s *server.Server) {
		g := NewWithT(t)
		g.Expect(s.Version()).To(MatchRegexp(`^\d+\.\d+`))
		workers, err := s.Workers(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(workers).To(HaveLen(3))
		for id := range uint64(20) {
			a, err := s.Request(bound(t), server.Task{ID: id, Name: "square", N: 7})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(a.Value.String()).To(Equal("49"))
			g.Expect(workers).To(ContainElement(a.PID))
		}
		began := time.Now()
		_, err = s.Request(bound(t), server.Task{ID: 20, Name: "sleep", N: 7, MS: 300})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(time.Since(began)).To(BeNumerically(">=", 300*time.Millisecond))
		runs, torn, err := witness.ReadFile(s.Witness(), 0)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(torn).To(BeZero())
		g.Expect(runs).To(HaveLen(21))
	})
}

// The request that a killed worker was serving breaks or fails, and a new worker takes its place.
func TestAKilledWorkerIsReplaced(t *testing.T) {
	takes.Seconds(t)
	eachKind(t, func(t *testing.T, s *server.Server) {
		g := NewWithT(t)
		broken := make(chan error, 1)
		go func() {
			_, err := s.Request(bound(t), server.Task{ID: 1, Name: "sleep", N: 7, MS: 20_000})
			broken <- err
		}()
		victim := 0
		g.Eventually(func() int {
			runs, _, _ := witness.ReadFile(s.Witness(), 0)
			for _, r := range runs {
				victim = r.PID
			}
			return victim
		}).WithTimeout(20 * time.Second).ShouldNot(BeZero())
		g.Expect(s.Owns(victim)).To(BeTrue())
		g.Expect(syscall.Kill(victim, syscall.SIGKILL)).To(Succeed())
		g.Expect(<-broken).To(HaveOccurred())
		g.Eventually(func() []int { w, _ := s.Workers(t.Context()); return w }).WithTimeout(20 * time.Second).Should(
			And(HaveLen(3), Not(ContainElement(victim))))
		_, err := s.Request(bound(t), server.Task{ID: 2, Name: "square", N: 7})
		g.Expect(err).NotTo(HaveOccurred())
	})
}

func TestManyRequestsAtOnceAllArrive(t *testing.T) {
	takes.Seconds(t)
	eachKind(t, func(t *testing.T, s *server.Server) {
		g := NewWithT(t)
		var all sync.WaitGroup
		errs := make(chan error, 300)
		for id := range uint64(300) {
			all.Go(func() {
				_, err := s.Request(bound(t), server.Task{ID: id, Name: "sleep", N: 2, MS: 5})
				errs <- err
			})
		}
		all.Wait()
		close(errs)
		for err := range errs {
			g.Expect(err).NotTo(HaveOccurred())
		}
	})
}

func TestStopLeavesNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, s *server.Server) {
		g := NewWithT(t)
		workers, err := s.Workers(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(s.Stop(bound(t))).To(BeZero())
		for _, pid := range append(workers, s.PID()) {
			p, err := procfs.Read(pid)
			g.Expect(err != nil || !p.Alive()).To(BeTrue(), "process %d is left", pid)
		}
		_, err = s.Request(bound(t), server.Task{Name: "square", N: 7})
		g.Expect(err).To(MatchError(syscall.ECONNREFUSED))
		g.Expect(s.Stop(bound(t))).To(BeZero(), "twice")
	})
}

// A worker that does not hear that it is to end, as one of gunicorn's that was forked a moment before does not, is
// ended by its server, not by the harness.
func TestAServerWithADeafWorkerStops(t *testing.T) {
	takes.Seconds(t) // gunicorn's own time
	eachKind(t, func(t *testing.T, s *server.Server) {
		g := NewWithT(t)
		workers, err := s.Workers(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(syscall.Kill(workers[0], syscall.SIGSTOP)).To(Succeed())
		g.Expect(s.Stop(bound(t))).To(BeZero())
	})
}

// A server that is killed cannot end its workers, and a worker that is stopped does not notice.
func TestStopCountsWhatAServerLeft(t *testing.T) {
	takes.Seconds(t)
	eachKind(t, func(t *testing.T, s *server.Server) {
		g := NewWithT(t)
		s.StopWithin(500 * time.Millisecond)
		workers, err := s.Workers(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(syscall.Kill(workers[0], syscall.SIGSTOP)).To(Succeed())
		g.Expect(syscall.Kill(s.PID(), syscall.SIGKILL)).To(Succeed())
		left, err := s.Stop(bound(t))
		g.Expect(left).To(BeNumerically(">=", 1))
		g.Expect(err).To(MatchError(ContainSubstring(strconv.Itoa(workers[0]))))
		left, err = s.Stop(bound(t))
		g.Expect(err).NotTo(HaveOccurred(), "twice")
		g.Expect(left).To(BeZero())
	})
}

func TestStopCountsAServerThatDoesNotEnd(t *testing.T) {
	takes.Seconds(t)
	eachKind(t, func(t *testing.T, s *server.Server) {
		g := NewWithT(t)
		s.StopWithin(time.Second)
		g.Expect(syscall.Kill(s.PID(), syscall.SIGSTOP)).To(Succeed())
		left, err := s.Stop(bound(t))
		g.Expect(left).To(BeNumerically(">=", 1+3), "itself and its workers")
		g.Expect(err).To(MatchError(ContainSubstring("lives on 1s after SIGTERM")))
	})
}

func TestAServerRunsWithoutPrivileges(t *testing.T) {
	takes.Seconds(t)
	if os.Geteuid() != 0 {
		t.Skip("not root: there is nothing to step down from")
	}
	eachKind(t, func(t *testing.T, s *server.Server) {
		g := NewWithT(t)
		workers, err := s.Workers(t.Context())
		g.Expect(err).NotTo(HaveOccurred())
		for _, pid := range append(workers, s.PID()) {
			status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(string(status)).To(ContainSubstring("Uid:\t65534"))
		}
	})
}

func TestAWrongConfigStartsNothing(t *testing.T) {
	g := NewWithT(t)
	_, err := server.Start(t.Context(), server.Config{Kind: "apache", Size: 1, Dir: t.TempDir()})
	g.Expect(err).To(MatchError(`there is no server "apache": want one of gunicorn, php-fpm`))
	_, err = server.Start(t.Context(), server.Config{Kind: "gunicorn", Dir: t.TempDir()})
	g.Expect(err).To(MatchError("gunicorn: size 0: want at least 1"))
}

// A missing package is named with the command that installs it.
func TestAMissingServerIsNamed(t *testing.T) {
	gunicorn := foreign.Tool{Name: "gunicorn"}
	if _, err := gunicorn.Find(); err == nil {
		t.Setenv("PATH", t.TempDir())
		if _, err := gunicorn.Find(); err == nil {
			t.Skip("gunicorn is in a directory of the system's daemons: it cannot be hidden here")
		}
	}
	_, err := server.Start(t.Context(), server.Config{Kind: "gunicorn", Size: 1, Dir: t.TempDir()})
	NewWithT(t).Expect(err).To(MatchError("gunicorn is not installed: apt-get install gunicorn"))
}
