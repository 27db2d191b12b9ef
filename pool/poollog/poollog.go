// Package poollog has what workers log by log/slog reach the host's handler, as records with their levels and
// attributes, and with the worker, the task and the attempt that they are of. The package pool knows nothing of it.
//
// They travel on the worker's stderr, each as a line of JSON after a record separator (RFC 7464), so that workers in
// other languages can send them too: {"time": …, "level": …, "msg": …} and whatever else, of which nothing is required.
// What is no such line is a record of its own: see [Lines].
package poollog

import (
	"context"
	"log/slog"
	"os"

	"github.com/respawn-go/respawn/pool"
)

var install = pool.RegisterInit("respawn/poollog", func(_ context.Context, level slog.Level) error {
	slog.SetDefault(slog.New(NewHandler(&slog.HandlerOptions{Level: level})))
	return nil
})

// Initializer is for [pool.Config.Initializer]: it makes [NewHandler]'s the default of log/slog in each worker, from
// that level on. A program that has an initializer of its own does so there.
func Initializer(level slog.Level) *pool.Initializer { return install.With(level) }

// NewHandler is the worker's side: records go to stderr in the form that [Lines] reads, each by one write. With a
// handler's ctx (slog.InfoContext) they name its task and attempt. Attributes travel as slog.JSONHandler writes them,
// durations as "1.5s"; of a record that takes more than 32 KiB the message's first 4 KiB stay, and "cut" says what it
// took. opts may be nil.
func NewHandler(opts *slog.HandlerOptions) slog.Handler { return newHandler(os.Stderr, opts) }

// Lines is the host's side, for [pool.Config.Stderr] and, if one wants, Stdout: what workers sent by [NewHandler] goes
// to that handler, with the name of the worker in front. Everything else that they print, a panic's report too, becomes
// a record of level Info for each line; a line of more than 64 KiB comes in pieces. What a record says of itself, its
// time and its pid, is the worker's own word.
//
// The handler is called by a goroutine for each worker, so it may be called concurrently, as slog's always may. Nothing
// is queued: a worker that logs faster than the handler takes it waits for it, and no other does.
func Lines(to slog.Handler) func(worker string, line []byte) { return lines{to}.take }
