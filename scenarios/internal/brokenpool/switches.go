//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bug is a switch: bend puts it into the joints of a pool.
type bug struct {
	word string
	does string
	bend func(*pool)
}

var switches = slices.Concat(harmless, capacities, places, outcomes, answers, replacements, listings, remains,
	ends, cheats)

// bend switches bugs on.
func (p *pool) bend(words []string) error {
	for _, text := range words {
		word, by, triggered := strings.Cut(text, "@")
		at := slices.IndexFunc(switches, func(b bug) bool { return b.word == word })
		if at < 0 {
			return fmt.Errorf("brokenpool: unknown switch %q: brokenpool list names them", word)
		}
		if !triggered {
			switches[at].bend(p)
		} else if err := p.arm(switches[at], by); err != nil {
			return err
		}
		p.bent = append(p.bent, text)
	}
	return nil
}

// version tells what is wrong with it.
func (p *pool) version() string {
	if len(p.bent) == 0 {
		return "correct"
	}
	return "with " + strings.Join(p.bent, ", ")
}

// struck tells whether a worker has died.
func (p *pool) struck() bool { return p.deaths > 0 }

// Differences that break no promise: every scenario passes.
var harmless = []bug{
	{"reorders-queue", "the last task that was submitted is run first", func(p *pool) {
		p.admit = func(t *task) { p.queue = slices.Insert(p.queue, 0, t) }
	}},
	{"shuffles-listing", "the workers are listed in any order", func(p *pool) {
		list := p.list
		p.list = func() []int {
			pids := list()
			rand.Shuffle(len(pids), func(i, j int) { pids[i], pids[j] = pids[j], pids[i] })
			return pids
		}
	}},
	{"talks-to-itself", "it writes to standard error all the time", func(p *pool) {
		admit := p.admit
		p.admit = func(t *task) { fmt.Fprintln(os.Stderr, "task", t.Task); admit(t) }
	}},
	{
		"unwitnessed",
		"executions are not recorded, and it does not say that it could; made to be put beside other switches",
		func(p *pool) {
			p.can = slices.DeleteFunc(p.can, func(ability string) bool { return ability == "witness" })
		},
	},
}

// How much it can do.
var capacities = []bug{
	{"shrinks", "each death costs one task of concurrency, down to one", func(p *pool) {
		p.capacity = func() int { return max(1, p.size-p.deaths) }
	}},
	{
		"shrinks-until-idle", "each death costs one task of concurrency, down to one, until nothing is left to do",
		func(p *pool) {
			lost := 0
			p.onDeath(func(*worker) { lost++ })
			p.capacity = func() int {
				if len(p.queue) <= 1 && p.running() == 0 {
					lost = 0
				}
				return max(1, p.size-lost)
			}
		},
	},
	{"one-at-a-time", "after a death tasks run one after the other", func(p *pool) {
		p.capacity = func() int {
			if p.struck() {
				return 1
			}
			return p.size
		}
	}},
	{"one-slot-after-all-died", "once a worker of every slot has died only one slot is given tasks", func(p *pool) {
		died := map[int]bool{}
		replace := p.replace
		p.replace = func(w *worker) {
			died[w.slot] = true
			replace(w)
		}
		p.choose = func(*task) *worker {
			return p.idle(func(w *worker) bool { return len(died) < p.size || w.slot == 0 })
		}
	}},
	{"slow-replacements", "a replacement takes 300 ms longer for each task", func(p *pool) {
		p.run = func(w *worker, t *task) {
			j := t.job
			if w.heir {
				j.MS += 300
			}
			w.send(j)
		}
	}},
	{"rests", "a replacement rests 300 ms after each task", func(p *pool) {
		answer, resting := p.answer, map[int]bool{}
		p.answer = func(pid int, t *task, outcome any) {
			if slices.ContainsFunc(p.workers, func(w *worker) bool { return w != nil && w.heir && w.pid == pid }) {
				resting[pid] = true
				p.after(300*time.Millisecond, func() { delete(resting, pid) })
			}
			answer(pid, t, outcome)
		}
		p.choose = func(*task) *worker { return p.idle(func(w *worker) bool { return !resting[w.pid] }) }
	}},
	{
		"crawls-in-queues",
		"after a death tasks run one after the other while more of them wait than there are workers",
		func(p *pool) {
			p.capacity = func() int {
				if p.struck() && len(p.queue)+p.running() > p.size {
					return 1
				}
				return p.size
			}
		},
	},
	{"late-at-first", "before the first death the last answer to a queue comes two seconds late", func(p *pool) {
		answer, long := p.answer, false
		p.answer = func(pid int, t *task, outcome any) {
			if long = long || len(p.queue) > p.size; long && !p.struck() && len(p.queue)+p.running() == 0 {
				long = false
				p.after(2*time.Second, func() { answer(pid, t, outcome) })
				return
			}
			answer(pid, t, outcome)
		}
	}},
	{"lags-at-first", "before the first death one worker takes three seconds longer for long tasks", func(p *pool) {
		run := p.run
		p.run = func(w *worker, t *task) {
			if w.slot > 0 || p.struck() || t.MS < 40 {
				run(w, t)
				return
			}
			j := t.job
			j.MS += 3000
			w.send(j)
		}
	}},
	{"fails-at-first", "before the first death the tasks of a queue fail", func(p *pool) {
		answer, long := p.answer, false
		p.answer = func(pid int, t *task, outcome any) {
			if long = (long || len(p.queue) > p.size) && len(p.queue)+p.running() > 0; long && !p.struck() {
				outcome = errors.New("not yet")
			}
			answer(pid, t, outcome)
		}
	}},
	{"turns-inside", "after a death workers of a pair wait for each other, within what they witness", func(p *pool) {
		p.run = func(w *worker, t *task) {
			j := t.job
			if p.struck() {
				j.Behind = 1 + w.slot/2
			}
			w.send(j)
		}
	}},
	{
		"works-with-ghosts",
		"after a death two workers take turns, and one that was listed at first works whenever a worker begins a task",
		func(p *pool) {
			var ghost *worker
			asked := 0
			seated, list, free := p.seated, p.list, p.choose
			there := func() bool { return ghost != nil && ghost.ready && p.alive[ghost] }
			early := func() bool { return asked < 10 && !p.struck() }
			last := func(w *worker) bool { return w.slot == p.size-1 }
			p.seated = func(w *worker) {
				if seated(w); ghost == nil && last(w) {
					ghost = p.start(p.size, false)
				}
			}
			p.list = func() []int {
				if !there() {
					return list()
				}
				asked++
				return p.pids(func(w *worker) bool { return early() && !last(w) || !early() && w != ghost })
			}
			p.choose = func(t *task) *worker {
				if !there() {
					return free(t)
				}
				return p.idle(func(w *worker) bool {
					if early() {
						return !last(w)
					}
					other := p.workers[max(0, 1-w.slot)]
					return w != ghost && (!p.struck() || w.slot > 1 || other == nil || other.task == nil)
				})
			}
			p.run = func(w *worker, t *task) {
				j := t.job
				j.Tells = w != ghost
				w.send(j)
			}
			p.begun = func(*worker) {
				if there() && p.struck() && ghost.task == nil && len(p.queue) > 0 && p.running() < p.size {
					p.give(ghost)
				}
			}
		},
	},
	{"dead-after-kill", "after a death the size is back, the pid is new, and nothing answers", func(p *pool) {
		p.choose = func(*task) *worker { return p.idle(func(*worker) bool { return !p.struck() }) }
	}},
	{"deaf-replacements", "a replacement is given no task", func(p *pool) {
		p.choose = func(*task) *worker { return p.idle(func(w *worker) bool { return !w.heir }) }
	}},
	{"stalls", "each death stops all work for two seconds", func(p *pool) {
		choose := p.choose
		var until time.Time
		p.onDeath(func(*worker) {
			until = time.Now().Add(2 * time.Second)
			p.after(2*time.Second, func() {})
		})
		p.choose = func(t *task) *worker {
			if time.Now().Before(until) {
				return nil
			}
			return choose(t)
		}
	}},
	{"stopped-replacements", "a replacement is stopped as soon as it is there", func(p *pool) {
		p.seated = func(w *worker) {
			if w.heir {
				_ = w.cmd.Process.Signal(syscall.SIGSTOP)
			}
		}
	}},
}

// Where tasks run once a worker has died.
var places = []bug{
	{"runs-in-driver", "after a death tasks run in the driver, which says so", func(p *pool) {
		p.divert(p.afterDeath, func(w *worker, t *task) int { t.run(os.Getpid()); return os.Getpid() })
	}},
	{"runs-in-driver-secretly", "after a death tasks run in the driver, in the name of workers", func(p *pool) {
		p.divert(p.afterDeath, func(w *worker, t *task) int { t.run(w.pid); return w.pid })
	}},
	{"backdates", "what a dead worker was running is made up, and recorded as ended before the death", func(p *pool) {
		p.rescue = func(w *worker, t *task) {
			go func() {
				time.Sleep(t.length())
				data, _ := os.ReadFile(t.Witness)
				_, after, _ := bytes.Cut(data, fmt.Appendf(nil, "S %d 0 %d ", t.Task, w.pid))
				text, _, _ := bytes.Cut(after, []byte("\n"))
				if began, err := strconv.ParseInt(string(text), 10, 64); err == nil {
					t.record(fmt.Sprintf("E %d 0 %d %d %d", t.Task, w.pid, began, began+1000))
				}
				p.do(func() { p.answer(w.pid, t, t.N*t.N) })
			}()
		}
	}},
	{
		"reruns-in-driver",
		"the task of a dead worker is run again in the driver, in the name of a worker that is at work", func(p *pool) {
			p.rescue = func(_ *worker, t *task) {
				at := slices.IndexFunc(p.workers, func(w *worker) bool { return w != nil && w.task != nil })
				if at < 0 {
					p.queue = append(p.queue, t)
					return
				}
				pid := p.workers[at].pid
				go func() { t.run(pid); p.do(func() { p.answer(pid, t, t.N*t.N) }) }()
			}
		},
	},
	{"ends-for-the-dead", "what a dead worker was running the driver ends in its name", func(p *pool) {
		p.rescue = func(w *worker, t *task) {
			go func() {
				time.Sleep(t.length())
				data, _ := os.ReadFile(t.Witness)
				_, after, _ := bytes.Cut(data, fmt.Appendf(nil, "S %d 0 %d ", t.Task, w.pid))
				began, _, _ := bytes.Cut(after, []byte("\n"))
				t.record(fmt.Sprintf("E %d 0 %d %s %d", t.Task, w.pid, began, monotonic()))
				p.do(func() { p.answer(w.pid, t, t.N*t.N) })
			}()
		}
	}},
	{"runs-in-forks", "after a death each task runs in a process that is no worker, which is named", func(p *pool) {
		p.divert(p.afterDeath, func(w *worker, t *task) int { return t.fork() })
	}},
	{
		"runs-in-forks-secretly", "after a death each task runs in a process that is no worker, and one is named",
		func(p *pool) {
			p.divert(p.afterDeath, func(w *worker, t *task) int { t.fork(); return w.pid })
		},
	},
	{
		"sleeps-in-driver", "after a death sleeps run in the driver, in the name of workers, and squares in these",
		func(p *pool) {
			p.divert(func(t *task) bool { return p.struck() && t.MS > 0 },
				func(w *worker, t *task) int { t.run(w.pid); return w.pid })
		},
	},
	{
		"short-sleeps-in-driver",
		"after a death sleeps that are shorter than a probe run in the driver, in the name of workers", func(p *pool) {
			p.divert(func(t *task) bool { return p.struck() && t.MS > 0 && t.MS < probeLength },
				func(w *worker, t *task) int { t.run(w.pid); return w.pid })
		},
	},
	{"runs-in-sibling-secretly", "what a replacement is given runs in another worker, in its name", func(p *pool) {
		p.divert(func(t *task) bool { return p.holder(t).heir }, func(w *worker, t *task) int {
			p.do(func() {
				for _, other := range p.workers {
					if other != nil && other != w {
						j := t.job
						j.As = w.pid
						other.send(j)
						return
					}
				}
			})
			time.Sleep(t.length() + 5*time.Millisecond)
			return w.pid
		})
	}},
	{"makes-up-answers", "after a death every third answer is made up: nothing was run", func(p *pool) {
		p.divert(func(*task) bool { return p.struck() && p.turns%3 == 0 },
			func(w *worker, t *task) int { time.Sleep(t.length()); return w.pid })
	}},
	{
		"makes-up-executions", "after a death answers are made up at once, and executions are recorded for them",
		func(p *pool) {
			p.divert(p.afterDeath, func(w *worker, t *task) int {
				now := monotonic()
				began := now - t.length().Nanoseconds()
				t.record(fmt.Sprintf("S %d 0 %d %d", t.Task, w.pid, began))
				t.record(fmt.Sprintf("E %d 0 %d %d %d", t.Task, w.pid, began, now))
				return w.pid
			})
		},
	},
}

func (p *pool) afterDeath(*task) bool { return p.struck() }

// holder is the worker that has the task.
func (p *pool) holder(t *task) *worker {
	return p.workers[slices.IndexFunc(p.workers, func(w *worker) bool { return w != nil && w.task == t })]
}

// divert has some tasks done elsewhere than in their worker. how does one, beside the loop, and returns the process to
// name.
func (p *pool) divert(which func(*task) bool, how func(*worker, *task) int) {
	run, rescue := p.run, p.rescue
	away := map[*task]bool{}
	p.run = func(w *worker, t *task) {
		if !which(t) {
			run(w, t)
			return
		}
		away[t] = true
		go func() {
			pid := how(w, t)
			p.do(func() { p.done(w, t, pid, t.N*t.N) })
		}()
	}
	p.rescue = func(w *worker, t *task) {
		if !away[t] {
			rescue(w, t)
		}
	}
}

// fork runs the job in a process that exists for it alone.
func (j job) fork() (pid int) {
	cmd := exec.Command("/proc/self/exe", "worker")
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	(&worker{in: in}).send(j)
	var ready, done reply
	replies := json.NewDecoder(out)
	_, _ = replies.Decode(&ready), replies.Decode(&done)
	_ = in.Close()
	_ = cmd.Wait()
	return cmd.Process.Pid
}

// What becomes of tasks.
var outcomes = []bug{
	{
		"loses-in-flight", "the task of a dead worker never settles",
		func(p *pool) { p.rescue = func(*worker, *task) {} },
	},
	{"fails-in-flight", "the task of a dead worker fails", func(p *pool) {
		p.rescue = func(w *worker, t *task) { p.answer(w.pid, t, errBroken) }
	}},
	{
		"settles-after-load", "the task of a dead worker is run again only when nothing else is left to do",
		func(p *pool) {
			p.rescue = func(_ *worker, t *task) { p.whenIdle(func() { p.queue = append(p.queue, t) }) }
		},
	},
	{"runs-twice", "every fifth task is executed twice", func(p *pool) {
		p.run = func(w *worker, t *task) {
			if j := t.job; p.turns%5 == 0 {
				j.Extra = 1
				w.send(j)
			} else {
				w.send(j)
			}
		}
	}},
	{"runs-twice-after-death", "the task of a dead worker is executed twice more", func(p *pool) {
		rescue := p.rescue
		p.rescue = func(w *worker, t *task) { t.Extra = 1; rescue(w, t) }
	}},
	{"reruns-done", "a death runs again what the dead worker had finished", func(p *pool) {
		replace, answer := p.replace, p.answer
		again := map[*task]bool{}
		p.replace = func(w *worker) {
			replace(w)
			if w.last != nil {
				t := *w.last
				again[&t] = true
				p.queue = append(p.queue, &t)
			}
		}
		p.answer = func(pid int, t *task, outcome any) {
			if !again[t] {
				answer(pid, t, outcome)
			}
		}
	}},
	{"blames-bystanders", "a death fails the task of a worker that lives", func(p *pool) {
		replace, answer := p.replace, p.answer
		blamed := map[*task]bool{}
		p.replace = func(w *worker) {
			replace(w)
			for _, other := range p.workers {
				if other != nil && other.task != nil && !blamed[other.task] {
					answer(other.pid, other.task, errBroken)
					blamed[other.task] = true
					return
				}
			}
		}
		p.answer = func(pid int, t *task, outcome any) {
			if !blamed[t] {
				answer(pid, t, outcome)
			}
		}
	}},
	{"fails-queue", "a death fails all tasks that wait", func(p *pool) {
		p.onDeath(func(w *worker) {
			for _, t := range p.queue {
				p.answer(w.pid, t, errBroken)
			}
			p.queue = nil
		})
	}},
	{"loses-queue", "a death takes the tasks that wait with it", func(p *pool) {
		p.onDeath(func(*worker) { p.queue = nil })
	}},
	{"breaks", "after a death every task fails", func(p *pool) {
		admit := p.admit
		p.admit = func(t *task) {
			if p.struck() {
				p.answer(0, t, errBroken)
				return
			}
			admit(t)
		}
	}},
	{"loses-one-queued", "a death takes one task that waits with it", func(p *pool) {
		p.onDeath(func(*worker) { p.queue = p.queue[min(1, len(p.queue)):] })
	}},
	{"cuts-short", "after a death tasks take no time", func(p *pool) {
		p.run = func(w *worker, t *task) {
			j := t.job
			if p.struck() {
				j.MS = 0
			}
			w.send(j)
		}
	}},
	{"stops-witnessing", "after a death executions are not recorded", func(p *pool) {
		admit := p.admit
		p.admit = func(t *task) {
			if p.struck() {
				t.Witness = ""
			}
			admit(t)
		}
	}},
	{"swallows-some", "every fiftieth task is never heard of again", func(p *pool) {
		admit, n := p.admit, 0
		p.admit = func(t *task) {
			if n++; n%50 != 0 {
				admit(t)
			}
		}
	}},
	{"swallows-first", "the first task of a replacement is never heard of again", func(p *pool) {
		answer := p.answer
		p.answer = func(pid int, t *task, outcome any) {
			if !p.isFirst(pid) {
				answer(pid, t, outcome)
			}
		}
	}},
	{"fails-first", "the first task of a replacement fails", func(p *pool) {
		answer := p.answer
		p.answer = func(pid int, t *task, outcome any) {
			if p.isFirst(pid) {
				outcome = errBroken
			}
			answer(pid, t, outcome)
		}
	}},
}

var errBroken = errors.New("BrokenPool: a worker died")

// isFirst tells whether that is a replacement that has just done its first task.
func (p *pool) isFirst(pid int) bool {
	return slices.ContainsFunc(p.workers,
		func(w *worker) bool { return w != nil && w.pid == pid && w.heir && w.tasks == 1 })
}

// onDeath adds to what follows a death.
func (p *pool) onDeath(do func(*worker)) {
	replace := p.replace
	p.replace = func(w *worker) { replace(w); do(w) }
}

// whenIdle calls do once nothing has been left to do for a second.
func (p *pool) whenIdle(do func()) {
	turns := p.turns
	p.after(time.Second, func() {
		if len(p.queue) == 0 && p.running() == 0 && p.turns == turns {
			do()
		} else {
			p.whenIdle(do)
		}
	})
}

// What the answers say.
var answers = []bug{
	{"wrong-value", "the first value of a replacement is off by one", func(p *pool) {
		answer := p.answer
		p.answer = func(pid int, t *task, outcome any) {
			if v, ok := outcome.(int64); ok && p.isFirst(pid) {
				outcome = v + 1
			}
			answer(pid, t, outcome)
		}
	}},
	{"previous-answer", "the first value of a replacement is that of the task that was answered before", func(p *pool) {
		answer := p.answer
		var previous any = int64(0)
		p.answer = func(pid int, t *task, outcome any) {
			now := outcome
			if p.isFirst(pid) {
				outcome = previous
			}
			previous = now
			answer(pid, t, outcome)
		}
	}},
	{"swaps-answers", "after each death two tasks get each other's value", func(p *pool) {
		answer, left := p.answer, 0
		var held func(other any) any // answers the first with the other's value, and gives its own
		p.onDeath(func(*worker) { left = 1 })
		p.answer = func(pid int, t *task, outcome any) {
			switch {
			case held != nil:
				outcome, held = held(outcome), nil
			case left > 0:
				left--
				held = func(other any) any { answer(pid, t, other); return outcome }
				return
			}
			answer(pid, t, outcome)
		}
	}},
	{"names-another", "after a death answers name another worker than ran the task", func(p *pool) {
		answer := p.answer
		p.answer = func(pid int, t *task, outcome any) {
			if pids := p.list(); p.struck() && len(pids) > 1 {
				pid = pids[(slices.Index(pids, pid)+1)%len(pids)]
			}
			answer(pid, t, outcome)
		}
	}},
	{"names-the-dead", "the answers of a replacement name its dead predecessor", func(p *pool) {
		answer, dead := p.answer, map[int]int{}
		p.onDeath(func(w *worker) { dead[w.slot] = w.pid })
		p.answer = func(pid int, t *task, outcome any) {
			for _, w := range p.workers {
				if w != nil && w.pid == pid && w.heir {
					pid = dead[w.slot]
					break
				}
			}
			answer(pid, t, outcome)
		}
	}},
	{"answers-late", "after a death answers come three seconds late", func(p *pool) {
		answer := p.answer
		p.answer = func(pid int, t *task, outcome any) {
			if p.struck() {
				p.after(3*time.Second, func() { answer(pid, t, outcome) })
				return
			}
			answer(pid, t, outcome)
		}
	}},
	{"answers-first", "after a death answers come when their tasks begin", func(p *pool) {
		run, answer := p.run, p.answer
		told := map[*task]bool{}
		p.run = func(w *worker, t *task) {
			run(w, t)
			if p.struck() && !told[t] {
				answer(w.pid, t, t.N*t.N)
				told[t] = true
			}
		}
		p.answer = func(pid int, t *task, outcome any) {
			if !told[t] {
				answer(pid, t, outcome)
			}
		}
	}},
	{"answers-twice", "every twentieth answer comes twice", func(p *pool) {
		answer, n := p.answer, 0
		p.answer = func(pid int, t *task, outcome any) {
			answer(pid, t, outcome)
			if n++; n%20 == 0 {
				answer(pid, t, outcome)
			}
		}
	}},
	{"answers-twice-at-stop", "the last answer is repeated when the pool stops", func(p *pool) {
		answer, stop := p.answer, p.stop
		again := func() {}
		p.answer = func(pid int, t *task, outcome any) {
			answer(pid, t, outcome)
			if !t.probe {
				again = func() { answer(pid, t, outcome) }
			}
		}
		p.stop = func() { again(); stop() }
	}},
}

// Who replaces the dead.
var replacements = []bug{
	{"no-respawn", "a dead worker is not replaced", func(p *pool) { p.replace = func(*worker) {} }},
	{"slow-recovery", "a replacement is started after three seconds", func(p *pool) {
		replace := p.replace
		p.replace = func(w *worker) { p.after(3*time.Second, func() { replace(w) }) }
	}},
	{"respawns-after-load", "the dead are replaced only when nothing is left to do", func(p *pool) {
		replace := p.replace
		p.replace = func(w *worker) { p.whenIdle(func() { replace(w) }) }
	}},
	{"replaces-idle-only", "a worker that dies with a task is not replaced", func(p *pool) {
		replace := p.replace
		p.replace = func(w *worker) {
			if w.task == nil {
				replace(w)
			}
		}
	}},
	{"replaces-once", "the second death in a slot is not made good", func(p *pool) {
		replace := p.replace
		p.replace = func(w *worker) {
			if !w.heir {
				replace(w)
			}
		}
	}},
	{"die-unlisted", "two replacements of each worker die before they are listed, and the third stays", func(p *pool) {
		life := map[int]int{}
		replace, list := p.replace, p.list
		doomed := func(w *worker) bool { return w.heir && life[w.slot]%3 != 0 }
		p.replace = func(w *worker) { life[w.slot]++; replace(w) }
		p.seated = func(w *worker) {
			if doomed(w) {
				p.after(4*time.Millisecond, func() { _ = w.cmd.Process.Kill() })
			}
		}
		p.choose = func(*task) *worker { return p.idle(func(w *worker) bool { return !doomed(w) }) }
		p.list = func() []int {
			return slices.DeleteFunc(list(), func(pid int) bool {
				return slices.ContainsFunc(p.workers,
					func(w *worker) bool { return w != nil && w.pid == pid && doomed(w) })
			})
		}
	}},
	{"recycles", "each worker is replaced after its hundredth task", func(p *pool) {
		answer := p.answer
		p.answer = func(pid int, t *task, outcome any) {
			answer(pid, t, outcome)
			for w := range p.alive {
				if w.pid == pid && w.tasks == 100 {
					_ = w.cmd.Process.Kill()
				}
			}
		}
	}},
	{"kills-sibling-later", "a second after a death another worker is killed", func(p *pool) {
		paid := false
		p.onDeath(func(*worker) {
			if paid = !paid; paid {
				p.after(time.Second, p.killOne)
			}
		})
	}},
	{"gives-up", "only three deaths are made good", func(p *pool) {
		replace := p.replace
		p.replace = func(w *worker) {
			if p.deaths <= 3 {
				replace(w)
			}
		}
	}},
	{"die-young", "two replacements of each worker live for 50 ms, and the third stays", func(p *pool) {
		life := map[int]int{}
		p.onDeath(func(w *worker) { life[w.slot]++ })
		p.seated = func(w *worker) {
			if w.heir && life[w.slot]%3 != 0 {
				p.after(50*time.Millisecond, func() { _ = w.cmd.Process.Kill() })
			}
		}
	}},
	{"ready-early", "a replacement is listed, and given tasks, three seconds before it can run them", func(p *pool) {
		p.traits = func(int) []string {
			if p.struck() {
				return []string{sluggish}
			}
			return nil
		}
	}},
	{"grows", "each death starts two workers", func(p *pool) {
		p.onDeath(func(*worker) {
			if len(p.workers) < 64 {
				p.workers = append(p.workers, nil)
				p.start(len(p.workers)-1, true)
			}
		})
	}},
	{"kills-sibling", "a death takes another worker with it", func(p *pool) {
		paid := false
		p.onDeath(func(*worker) {
			if paid = !paid; paid {
				p.killOne()
			}
		})
	}},
	{"restarts-all", "the first death restarts every worker", func(p *pool) {
		p.onDeath(func(*worker) {
			for _, w := range p.workers {
				if w != nil && !w.heir {
					_ = w.cmd.Process.Kill()
				}
			}
		})
	}},
	{
		"helper-in-slot", "a process that runs nothing stands in a dead worker's slot, and is named in answers",
		func(p *pool) {
			p.replace = func(w *worker) { p.helper(w.slot) }
			list, answer := p.list, p.answer
			p.list = func() []int { return append(list(), p.helpers...) }
			p.answer = func(pid int, t *task, outcome any) {
				if p.turns%4 < len(p.helpers) {
					pid = p.helpers[p.turns%4]
				}
				answer(pid, t, outcome)
			}
		},
	},
}

// killOne kills a worker.
func (p *pool) killOne() {
	if at := slices.IndexFunc(p.workers, func(w *worker) bool { return w != nil }); at >= 0 {
		_ = p.workers[at].cmd.Process.Kill()
	}
}

// helper starts a process that is not a worker.
func (p *pool) helper(slot int) {
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	w := &worker{slot: slot, pid: cmd.Process.Pid, cmd: cmd, in: discard{}}
	p.alive[w] = true
	p.helpers = append(p.helpers, w.pid)
	go func() {
		_ = cmd.Wait()
		p.do(func() {
			delete(p.alive, w)
			p.helpers = slices.DeleteFunc(p.helpers, func(pid int) bool { return pid == w.pid })
			if !p.closing {
				p.helper(slot)
			}
		})
	}()
}

type discard struct{ io.Writer }

func (discard) Close() error { return nil }

// What the listing says.
var listings = []bug{
	{"lies-about-size", "a dead worker is not replaced, and still listed", func(p *pool) {
		list, dead := p.list, []int(nil)
		p.replace = func(w *worker) { dead = append(dead, w.pid) }
		p.list = func() []int { return append(list(), dead...) }
	}},
	{"lists-the-dead", "a replacement is not listed, but its dead predecessor", func(p *pool) {
		dead := map[int]int{}
		p.onDeath(func(w *worker) { dead[w.slot] = w.pid })
		p.list = func() []int {
			pids := p.pids(func(w *worker) bool { return !w.heir })
			for _, pid := range dead {
				pids = append(pids, pid)
			}
			return pids
		}
	}},
	{"hides-one", "after a death one living worker is not listed", func(p *pool) {
		p.list = func() []int { return p.pids(func(w *worker) bool { return !p.struck() || w.slot > 0 }) }
	}},
	{"flaps", "after a death every third listing leaves out a living worker", func(p *pool) {
		n := 0
		p.list = func() []int {
			if n++; p.struck() && n%3 == 0 {
				return p.pids(func(w *worker) bool { return w.slot > 0 })
			}
			return p.pids(func(*worker) bool { return true })
		}
	}},
	{"lists-one-twice", "a dead worker is not replaced, and another listed twice", func(p *pool) {
		list := p.list
		p.replace = func(*worker) {}
		p.list = func() []int {
			pids := list()
			for len(pids) > 0 && len(pids) < p.size {
				pids = append(pids, pids[0])
			}
			return pids
		}
	}},
	{
		"answers-when-whole",
		"after a death the listing is answered only when every slot has a worker again, two seconds later",
		func(p *pool) {
			replace, list := p.replace, p.list
			p.replace = func(w *worker) { p.after(2*time.Second, func() { replace(w) }) }
			last := []int{}
			p.list = func() []int {
				if now := list(); len(now) == p.size || len(last) == 0 {
					last = now
				}
				return last
			}
		},
	},
	{"lists-late", "the listing is what it was two seconds ago", func(p *pool) {
		list := p.list
		var known []int
		p.list = func() []int {
			now := list()
			if known == nil {
				known = now
			}
			p.after(2*time.Second, func() { known = now })
			return known
		}
	}},
	{"lists-itself", "after a death the driver lists itself too", func(p *pool) {
		list := p.list
		p.list = func() []int {
			if p.struck() {
				return append(list(), os.Getpid())
			}
			return list()
		}
	}},
}

// What is left behind at each death.
var remains = []bug{
	{"zombies", "the dead are not reaped", func(p *pool) { p.reap = func(*worker) {} }},
	{
		"leaves-child", "what a worker started outlives it",
		func(p *pool) { p.traits = func(int) []string { return []string{begetter} } },
	},
	{"adopts-child", "what a worker started outlives it, as the pool's child", func(p *pool) {
		p.traits = func(int) []string { return []string{begetter} }
		_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
		p.stop = func() { p.end(); endChildren() }
	}},
	{"leaks-memory", "each death costs 32 MiB", func(p *pool) {
		var leaked [][]byte
		p.onDeath(func(*worker) {
			block := make([]byte, 32<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			leaked = append(leaked, block)
		})
	}},
	{"leaks-descriptors", "each death costs 32 descriptors", func(p *pool) {
		p.onDeath(func(*worker) {
			for range 32 {
				_, _ = syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
			}
		})
	}},
}

// endChildren ends every process that this one is the parent of.
func endChildren() {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		data, _ := os.ReadFile(list)
		for word := range strings.FieldsSeq(string(data)) {
			pid, _ := strconv.Atoi(word)
			_ = syscall.Kill(pid, syscall.SIGKILL)
			_, _ = syscall.Wait4(pid, nil, 0, nil)
		}
	}
}

// How it ends.
var ends = []bug{
	{
		"hangs-at-stop", "it never says that it has stopped",
		func(p *pool) { p.stop = func() { <-time.After(time.Hour) } },
	},
	{"orphans-at-stop", "workers live on when it has stopped", func(p *pool) {
		p.traits = func(int) []string { return []string{staying} }
		p.stop = func() { p.closing = true }
	}},
	{"orphans-at-kill", "workers live on when their parent is killed", func(p *pool) {
		p.traits = func(int) []string { return []string{staying} }
	}},
	{"dies-itself", "the third death ends the driver", func(p *pool) {
		p.onDeath(func(*worker) {
			if p.deaths == 3 {
				fmt.Fprintln(os.Stderr, "too many deaths")
				os.Exit(1)
			}
		})
	}},
}

// everyThirdProbe tells whether t is one, after a death.
func (p *pool) everyThirdProbe(t *task) bool { return t.probe && p.struck() && t.Task%3 == 0 }

// What it does only while it is looked at: probes are told by their length, where the load's tasks have another.
var cheats = []bug{
	{"honest-to-probes", "a replacement answers tasks wrong that are no probes", func(p *pool) {
		answer := p.answer
		p.answer = func(pid int, t *task, outcome any) {
			heir := slices.ContainsFunc(p.workers, func(w *worker) bool { return w != nil && w.pid == pid && w.heir })
			if v, ok := outcome.(int64); ok && heir && !t.probe {
				outcome = v + 1
			}
			answer(pid, t, outcome)
		}
	}},
	{"only-probes-on-replacements", "a replacement is given probes and no other tasks", func(p *pool) {
		p.choose = func(t *task) *worker { return p.idle(func(w *worker) bool { return t.probe || !w.heir }) }
	}},
	{"loses-probes", "after a death every third probe has no outcome", func(p *pool) {
		admit := p.admit
		p.admit = func(t *task) {
			if !p.everyThirdProbe(t) {
				admit(t)
			}
		}
	}},
	{"fails-probes", "after a death every third probe has an error", func(p *pool) {
		answer := p.answer
		p.answer = func(pid int, t *task, outcome any) {
			if p.everyThirdProbe(t) {
				outcome = errors.New("not today")
			}
			answer(pid, t, outcome)
		}
	}},
	{"runs-probes-twice", "after a death every third probe is run twice", func(p *pool) {
		run := p.run
		p.run = func(w *worker, t *task) {
			if p.everyThirdProbe(t) {
				t.Extra = 1
			}
			run(w, t)
		}
	}},
	{"throttles-load", "after a death tasks that are no probes run one after the other", func(p *pool) {
		p.choose = func(t *task) *worker {
			if p.struck() && !t.probe && slices.ContainsFunc(p.workers,
				func(w *worker) bool { return w != nil && w.task != nil && !w.task.probe }) {
				return nil
			}
			return p.idle(func(*worker) bool { return true })
		}
	}},
	{"works-while-probed", "after a death tasks are run only within 200 ms of a probe", func(p *pool) {
		admit, choose := p.admit, p.choose
		var last time.Time
		p.admit = func(t *task) {
			if t.probe {
				last = time.Now()
			}
			admit(t)
		}
		p.choose = func(t *task) *worker {
			if p.struck() && time.Since(last) > 200*time.Millisecond {
				return nil
			}
			return choose(t)
		}
	}},
	{"respawns-when-probed", "the dead are replaced when the next probe comes", func(p *pool) {
		admit, replace := p.admit, p.replace
		var dead []*worker
		p.replace = func(w *worker) { dead = append(dead, w) }
		p.admit = func(t *task) {
			if t.probe {
				for _, w := range dead {
					replace(w)
				}
				dead = nil
			}
			admit(t)
		}
	}},
	{"lends-to-helpers", "a process that runs nothing stands in a dead worker's slot, and another worker runs its " +
		"tasks in its name", func(p *pool) {
		run := p.run
		p.replace = func(w *worker) {
			cmd := exec.Command("sleep", "600")
			out, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				panic(err)
			}
			h := &worker{slot: w.slot, heir: true, ready: true, pid: cmd.Process.Pid, cmd: cmd, in: discard{}, out: out}
			p.alive[h] = true
			p.seat(h)
			go p.listen(h)
		}
		p.run = func(w *worker, t *task) {
			if _, helps := w.in.(discard); !helps {
				run(w, t)
				return
			}
			at := slices.IndexFunc(p.workers, func(o *worker) bool {
				if o == nil {
					return false
				}
				_, helps := o.in.(discard)
				return !helps
			})
			if at < 0 { // nobody is left who works
				return
			}
			j := t.job
			j.As, j.Aside = w.pid, true
			p.lent[t.Task] = w
			p.workers[at].send(j)
		}
	}},
	{
		"fakes-slots",
		"a process that runs nothing stands in a dead worker's slot, and probes are answered in its name",
		func(p *pool) {
			p.replace = func(w *worker) { p.helper(w.slot) }
			list, admit, answer := p.list, p.admit, p.answer
			p.list = func() []int { return append(list(), p.helpers...) }
			n := 0
			p.admit = func(t *task) {
				if n++; !t.probe || n%p.size >= len(p.helpers) {
					admit(t)
					return
				}
				pid := p.helpers[n%p.size]
				go func() { t.run(pid); p.do(func() { answer(pid, t, t.N*t.N) }) }()
			}
		},
	},
}
