// Package server starts preforking web servers and loads them over HTTP: a worker is a process of theirs, a task a
// request, and a lost task a broken connection.
//
// A server runs on loopback from a directory of its own, without privileges, and is ended with all its descendants.
package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/scenarios/targets/foreign"
)

// Config says which server is started.
type Config struct {
	// Kind is one of Kinds.
	Kind string
	// Size is how many workers it is to have, at least 1.
	Size int
	// Dir is a directory for its files, which the caller removes after Close. It is made accessible to the user that
	// the server runs as.
	Dir string
}

// product is a server that can be started.
type product struct {
	name  string
	start func(s *Server, c Config) error // starts its programs, of which the first one is the parent of the workers
}

var products = []product{{"gunicorn", startGunicorn}, {"php-fpm", startPHP}}

// Kinds lists the servers that can be started.
func Kinds() (names []string) {
	for _, k := range products {
		names = append(names, k.name)
	}
	return names
}

// Server is a started server. Safe for concurrent use. Close it.
type Server struct {
	name, version string
	size, port    int
	dir           string
	programs      []*foreign.Program
	stopTimeout   time.Duration // for each of them to end once it is asked to
	ended         atomic.Bool   // by Close: the numbers of its processes may pass to others
}

const (
	bootTimeout = 20 * time.Second
	stopTimeout = 20 * time.Second
	leftTimeout = 5 * time.Second // for what is left to go once its program has ended, at most
)

// Start starts the server and waits until all its workers are there and a request was answered; ctx bounds that. On any
// error nothing is left of it but its files. Errors: [*foreign.NotInstalledError]; the server's own last words.
func Start(ctx context.Context, c Config) (*Server, error) {
	i := slices.IndexFunc(products, func(k product) bool { return k.name == c.Kind })
	if i < 0 {
		return nil, fmt.Errorf("there is no server %q: want one of %s", c.Kind, strings.Join(Kinds(), ", "))
	}
	if c.Size < 1 {
		return nil, fmt.Errorf("%s: size %d: want at least 1", c.Kind, c.Size)
	}
	const tries = 3 // the port that was free may have been taken meanwhile
	for try := 1; ; try++ {
		s, taken, err := start(ctx, products[i], c)
		if err == nil || try == tries || !taken {
			return s, err
		}
	}
}

// start starts the server on a port that was free. taken tells of a failure that it was not any more, as the server
// said.
func start(ctx context.Context, k product, c Config) (_ *Server, taken bool, err error) {
	port, err := freePort()
	if err != nil {
		return nil, false, err
	}
	s := &Server{name: k.name, stopTimeout: stopTimeout, size: c.Size, port: port, dir: filepath.Join(c.Dir, k.name)}
	if err = openTo(c.Dir, s.dir); err == nil {
		err = k.start(s, c)
	}
	if err == nil {
		err = s.awaitUp(ctx)
	}
	if err != nil {
		taken = strings.Contains(strings.ToLower(s.lastWords()), "address already in use")
		return nil, taken, errors.Join(err, s.Close())
	}
	return s, false, nil
}

// openTo makes the server's directory, with an empty file of witnesses, for the user that the server runs as.
func openTo(parent, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	witness := filepath.Join(dir, "witness")
	if err := os.WriteFile(witness, nil, 0o600); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	return errors.Join(os.Chmod(parent, 0o711), os.Chown(dir, foreign.Nobody, foreign.Nobody),
		os.Chown(witness, foreign.Nobody, foreign.Nobody))
}

// run starts one of the server's programs.
func (s *Server) run(env []string, argv ...string) error {
	p, err := foreign.Start(
		foreign.Command{Argv: argv, Dir: s.dir, Env: append(env, "RESPAWN_WITNESS="+s.Witness()), Unprivileged: true})
	if err == nil {
		s.programs = append(s.programs, p)
	}
	return err
}

// awaitUp waits until a request is answered and every worker is there.
func (s *Server) awaitUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		workers, err := s.Workers(ctx)
		if err == nil && len(workers) == s.size {
			if _, err = s.Request(ctx, Task{ID: 0, Name: "square", N: 3}); err == nil {
				return os.Truncate(s.Witness(), 0)
			}
		}
		for _, p := range s.programs {
			select {
			case <-p.Exited():
				return fmt.Errorf("%s %s while it started: %s", s.name, p.Exit(), s.lastWords())
			default:
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s was not up in time, %d of %d workers are there: %w: %s",
				s.name, len(workers), s.size, ctx.Err(), s.lastWords())
		}
	}
}

// lastWords is the end of what the programs said, in one line.
func (s *Server) lastWords() string {
	var words []string
	for _, p := range s.programs {
		words = append(words, p.Stderr())
	}
	if log, err := os.ReadFile(filepath.Join(s.dir, "php-fpm.log")); err == nil {
		words = append(words, string(log))
	}
	const shown = 500
	text := strings.Join(strings.Fields(strings.Join(words, " ")), " ")
	return text[max(0, len(text)-shown):]
}

// Name is the server's kind, with what is in front of it.
func (s *Server) Name() string { return s.name }

// Version is the server's own word on its version.
func (s *Server) Version() string { return s.version }

// Witness is the file to which each request appends a line at its beginning and its end: see chaos/witness.
func (s *Server) Witness() string { return filepath.Join(s.dir, "witness") }

// PID is the parent of the workers.
func (s *Server) PID() int { return s.programs[0].PID() }

// Marker is the id in the environment entry RESPAWN_POOL=id of the parent of the workers.
func (s *Server) Marker() string { return s.programs[0].Marker() }

// Owns tells whether pid is a living descendant of the parent of the workers.
func (s *Server) Owns(pid int) bool { return s.programs[0].Owns(pid) }

// Workers lists the living workers: the children of the server's main process.
func (s *Server) Workers(context.Context) ([]int, error) { return s.programs[0].Children() }

// Stop asks the server to end, waits for that, and ends what has not. Left is how many processes that were; the error
// says which. Stopping twice is fine.
func (s *Server) Stop(ctx context.Context) (left int, err error) {
	if s.ended.Load() {
		return 0, s.Close()
	}
	var errs []error
	for _, p := range slices.Backward(s.programs) {
		_ = p.Signal(unix.SIGTERM)
		select {
		case <-p.Exited():
			if pids := slices.Sorted(maps.Keys(p.Left(ctx, min(leftTimeout, s.stopTimeout)))); len(pids) > 0 {
				left += len(pids)
				errs = append(errs,
					fmt.Errorf("%s (process %d) ended and left processes %v running", s.name, p.PID(), pids))
			}
		case <-ctx.Done():
		case <-time.After(s.stopTimeout):
			family, _ := p.Family()
			left += 1 + len(family)
			errs = append(errs, fmt.Errorf("%s (process %d) lives on %v after SIGTERM", s.name, p.PID(), s.stopTimeout))
		}
	}
	return left, errors.Join(append(errs, s.Close())...)
}

// Close ends the server and everything it started, at once. Closing twice is fine.
func (s *Server) Close() error {
	s.ended.Store(true)
	var errs []error
	for _, p := range s.programs {
		errs = append(errs, p.End())
	}
	return errors.Join(errs...)
}
