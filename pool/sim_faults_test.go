package pool

import (
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/process"
	"github.com/respawn-go/respawn/internal/wire"
)

// simSite is where in a worker's life, or around it, a fault strikes.
type simSite int

const (
	atSpawn simSite = iota // before the process exists
	atBoot                 // before it has read its hello frame
	atRead                 // tasks have arrived, none of them is started
	atExec                 // a handler is about to run
	atWrite                // frames are about to be written
	atExit                 // asked to stop, about to exit
	outside                // whenever somebody strikes, whatever it is doing
	simSites
)

// simFault is one row of the experiment: what is done to a worker. A fault may end the worker's goroutine.
type simFault struct {
	at     simSite
	weight int
	name   string
	do     func(w *simProcess, x *simMoment)
}

// simMoment is what a fault can change of what the worker is doing.
type simMoment struct {
	dice   dice
	err    error         // atSpawn: instead of a process
	wait   time.Duration // atBoot, atExec: how much longer it takes
	frames []byte        // atWrite: what is about to be written
	ends   []int         // where each of the frames ends
	honest int           // how much of it the worker means
}

// simFaults is the design of the experiment: at each site one of its rows is picked by weight, as often as the weather
// has it. Deaths inside the protocol come first; the rare and the strange follow.
var simFaults = []simFault{
	{atSpawn, 4, "EAGAIN", func(_ *simProcess, x *simMoment) { x.err = syscall.EAGAIN }},
	{atSpawn, 1, "ENOMEM", func(_ *simProcess, x *simMoment) { x.err = syscall.ENOMEM }},

	{atBoot, 4, "SIGKILL while booting", killed},
	{atBoot, 2, "SIGTERM while booting", func(w *simProcess, _ *simMoment) { w.terminate() }},
	{atBoot, 4, "exit 1 while booting", exits(1)},
	{atBoot, 2, "a slow boot", func(w *simProcess, x *simMoment) { x.wait = w.sim.plan.cfg.BootTimeout / 2 }},
	{atBoot, 2, "a boot that never ends", func(w *simProcess, x *simMoment) { x.wait = w.never() }},
	{atBoot, 3, "death soon after ready", func(w *simProcess, x *simMoment) {
		w.later(x.dice.span(time.Millisecond, readySettle), func() { w.die(process.Status{Code: 2}) })
	}},
	{atBoot, 1, "cannot be limited", func(w *simProcess, _ *simMoment) { w.confineErr = syscall.EPERM }},
	{atBoot, 1, "cannot be reaped when it dies", func(w *simProcess, _ *simMoment) { w.unreapable = true }},
	{atBoot, 1, "a child holds its socket open", func(w *simProcess, _ *simMoment) { w.held = true }},

	{atRead, 6, "SIGKILL with tasks sent and none started", killed},
	{atRead, 2, "SIGSTOP with tasks sent and none started", paused},

	{atExec, 4, "SIGKILL before the handler", killed},
	{atExec, 8, "SIGKILL in the handler", midway(process.Status{Code: -1, Signal: syscall.SIGKILL})},
	{atExec, 3, "SIGSEGV in the handler", midway(process.Status{Code: -1, Signal: syscall.SIGSEGV})},
	{atExec, 2, "exit 42 in the handler", midway(process.Status{Code: 42})},
	{atExec, 2, "exit 0 in the handler", midway(process.Status{Code: 0})},
	{atExec, 2, "SIGTERM in the handler", func(w *simProcess, x *simMoment) { w.later(x.wait/2+1, w.terminate) }},
	{atExec, 2, "out of memory in the handler", func(w *simProcess, _ *simMoment) { w.runOutOfMemory() }},
	{atExec, 3, "a handler that hangs", func(w *simProcess, x *simMoment) { x.wait = w.never() }},
	{atExec, 3, "SIGSTOP in the handler", paused},
	{atExec, 1, "cannot be reaped when it dies", func(w *simProcess, x *simMoment) {
		w.unreapable = true
		midway(process.Status{Code: -1, Signal: syscall.SIGKILL})(w, x)
	}},

	{atWrite, 4, "SIGKILL before the results are written", killed},
	{atWrite, 8, "SIGKILL inside a result frame", func(w *simProcess, x *simMoment) {
		w.tear(x, x.dice.IntN(len(x.frames)))
	}},
	{atWrite, 4, "SIGKILL between two frames", func(w *simProcess, x *simMoment) {
		w.tear(x, x.ends[x.dice.IntN(len(x.ends))])
	}},
	{atWrite, 8, "SIGKILL after the results are written", func(w *simProcess, x *simMoment) { w.tear(x, len(x.frames)) }},
	{atWrite, 1, "garbage instead of results", func(w *simProcess, x *simMoment) {
		for i := range x.frames {
			x.frames[i] = byte(x.dice.Uint32())
		}
		x.honest = 0
		w.lie(x)
	}},
	{atWrite, 2, "the results are swallowed", func(w *simProcess, x *simMoment) {
		x.frames, x.honest = nil, 0
		w.lie(x)
	}},
	{atWrite, 2, "its socket is another's from the middle of the results on", func(w *simProcess, x *simMoment) {
		n := x.dice.IntN(len(x.frames))
		x.frames, x.honest = x.frames[:n], n
		w.lie(x)
		w.mu.Lock()
		w.swallows = true
		w.mu.Unlock()
	}},
	{atWrite, 1, "each result twice", func(w *simProcess, x *simMoment) {
		x.frames = append(x.frames, x.frames...)
		w.lie(x)
	}},
	{atWrite, 1, "the result of a foreign task", func(w *simProcess, x *simMoment) {
		x.frames = wire.AppendFrame(x.frames, &wire.Frame{Kind: wire.FrameValue, ID: 1 << 40, Seq: 7})
		w.lie(x)
	}},
	{atWrite, 1, "a frame no worker sends", func(w *simProcess, x *simMoment) {
		x.frames = wire.AppendFrame(x.frames, &wire.Frame{Kind: wire.FrameHello})
		w.lie(x)
	}},

	{atExit, 3, "SIGKILL when asked to stop", killed},
	{atExit, 2, "deaf when asked to stop", func(w *simProcess, _ *simMoment) { w.sleep(w.never()) }},
	{atExit, 1, "exit 3 when asked to stop", exits(3)},

	{outside, 12, "SIGKILL", killed},
	{outside, 4, "SIGTERM", func(w *simProcess, _ *simMoment) { w.terminate() }},
	{outside, 3, "SIGSTOP", paused},
	{outside, 3, "SIGSTOP and SIGCONT", func(w *simProcess, x *simMoment) {
		w.pause()
		w.later(x.dice.span(time.Millisecond, 40*time.Millisecond), w.resume)
	}},
	{outside, 1, "SIGSTOP, then SIGKILL", func(w *simProcess, x *simMoment) {
		w.pause()
		w.later(x.dice.span(time.Millisecond, 40*time.Millisecond), func() { killed(w, x) })
	}},
	{outside, 1, "out of memory", func(w *simProcess, _ *simMoment) { w.runOutOfMemory() }},
	{outside, 1, "the socket ends and the process does not", func(w *simProcess, _ *simMoment) { w.hangUpOnParent() }},
}

func killed(w *simProcess, _ *simMoment) { w.die(process.Status{Code: -1, Signal: syscall.SIGKILL}) }
func paused(w *simProcess, _ *simMoment) { w.pause() }

func exits(code int) func(*simProcess, *simMoment) {
	return func(w *simProcess, _ *simMoment) { w.die(process.Status{Code: code}) }
}

// midway ends the worker somewhere in the time its handler takes.
func midway(how process.Status) func(*simProcess, *simMoment) {
	return func(w *simProcess, x *simMoment) {
		w.later(time.Duration(x.dice.Float64()*float64(x.wait))+1, func() { w.die(how) })
	}
}

// simWeather is how often a fault strikes at each site, and how far apart the strikes from outside are (0: none).
type simWeather struct {
	name    string
	weight  int
	rate    [simSites]float64
	strikes time.Duration
}

var simWeathers = []simWeather{
	{"calm", 10, [simSites]float64{}, 0},
	{"kills at the frames' borders", 25, [simSites]float64{atRead: .08, atExec: .06, atWrite: .1}, 0},
	{"kills from outside", 20, [simSites]float64{}, 8 * time.Millisecond},
	{"bad boots", 15, [simSites]float64{atSpawn: .15, atBoot: .4, atExec: .02}, 30 * time.Millisecond},
	{"bad ends", 10, [simSites]float64{atExec: .05, atExit: .4}, 30 * time.Millisecond},
	{"a storm", 20, [simSites]float64{atSpawn: .03, atBoot: .08, atRead: .08, atExec: .12, atWrite: .12, atExit: .2}, 5 * time.Millisecond},
}
