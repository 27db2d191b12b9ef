package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/respawn-go/respawn/internal/localfleet"
	"github.com/respawn-go/respawn/internal/pidfd"
	"github.com/respawn-go/respawn/internal/wait"
	"github.com/respawn-go/respawn/pool"
)

// harms are the faults that the target offers, by the names of the harness's. Each returns the evidence that it
// happened.
var harms = map[string]func(*driver, context.Context, request) (fields, error){
	"stepdown":  (*driver).stepdown,
	"amnesia":   (*driver).amnesia,
	"redeliver": (*driver).redeliver,
	"cut":       (*driver).cut,
	"slow":      (*driver).slow,
	"fill":      (*driver).fill,
	"poison":    (*driver).poison,
	"cancel":    (*driver).cancel,
}

// What an error begins with if it says that the fault was not possible here, that there was nothing to harm, or that
// whom it was to befall had ended.
const (
	refused = "refused: "
	missed  = "missed: "
	gone    = "gone: "
)

// harmArg has the parameters of all of them.
type harmArg struct {
	Of     string `json:"of"`
	N      int    `json:"n"`
	Back   string `json:"back"`
	MS     int    `json:"ms"`
	Code   int    `json:"code"`
	Memory bool   `json:"memory"`
}

func (r request) harmArg() (a harmArg, err error) {
	if len(r.Arg) > 0 {
		err = json.Unmarshal(r.Arg, &a)
	}
	return a, err
}

// harm does what the harness asks for, and heal ends it.
func (d *driver) harm(ctx context.Context, r request) {
	do, known := harms[r.Fault]
	if r.Op == "heal" {
		do = (*driver).heal
	}
	evidence, err := fields(nil), errors.New("harm before start")
	switch {
	case !known:
		err = fmt.Errorf("%sthis fleet has no fault %q", refused, r.Fault)
	case d.brokers != nil:
		d.harmed.Add(1)
		evidence, err = do(d, ctx, r)
	}
	if err != nil {
		d.say(fields{"op": "error", "id": r.ID, "error": err.Error()})
		return
	}
	d.say(fields{"op": "result", "id": r.ID, "value": evidence})
}

// victim is the member in the slot that the harness means.
func (d *driver) victim(r request) (localfleet.Member, error) {
	for _, m := range d.local.Members() {
		if m.Slot == r.Slot+1 && m.PID == r.PID {
			return m, nil
		}
	}
	return localfleet.Member{}, fmt.Errorf("%sthere is no process %d in slot %d", gone, r.PID, r.Slot)
}

// within is how long a change is waited for that the brokers agree on.
const within = 10 * time.Second

// stepdown takes the lead from the broker that has it.
func (d *driver) stepdown(ctx context.Context, r request) (fields, error) {
	arg, err := r.harmArg()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	before, err := d.brokers.leads(ctx, arg.Of)
	switch {
	case err != nil:
		return nil, err
	case before == "":
		return nil, errors.New(refused + "one broker leads alone, and nobody else can")
	}
	what, err := d.brokers.ledBy(arg.Of)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Success bool      `json:"success"`
		Error   *apiError `json:"error"`
	}
	if err := d.brokers.anyone(ctx, what, nil, &answer); err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, answer.Error
	}
	for {
		if after, err := d.brokers.leads(ctx, arg.Of); err == nil && after != "" && after != before {
			return fields{"led before": before, "leads now": after}, nil
		}
		if err := wait.For(ctx, lookEvery); err != nil {
			return nil, fmt.Errorf("%s leads still, or nobody does, after %v", before, within)
		}
	}
}

// amnesia ends a broker and takes from it what it has stored.
func (d *driver) amnesia(_ context.Context, r request) (fields, error) {
	arg, err := r.harmArg()
	if err != nil {
		return nil, err
	}
	m, err := d.victim(r)
	if err != nil {
		return nil, err
	}
	if m.Role != localfleet.Broker {
		return nil, errors.New(refused + m.Name + " stores nothing: pick brokers")
	}
	loss, err := d.local.Lose(m.Name, m.PID, arg.Back == "start")
	if errors.Is(err, localfleet.ErrNoMember) {
		return nil, errors.New(gone + err.Error())
	}
	return fields{"files before": strconv.Itoa(loss.Before), "files after": strconv.Itoa(loss.After)}, err
}

// redeliver has the broker hand out once more what somebody has: it takes a NAK of who has it no more.
func (d *driver) redeliver(ctx context.Context, r request) (fields, error) {
	arg, err := r.harmArg()
	if err != nil {
		return nil, err
	}
	before, name, err := d.brokers.consumer(ctx)
	if err != nil {
		return nil, err
	}
	told := 0
	for seq := before.Delivered.Stream; seq > before.AckFloor.Stream && told < arg.N; seq-- {
		subject := fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.0.0", d.brokers.queue, name, seq, before.Delivered.Consumer)
		if err := d.brokers.publish(subject, []byte("-NAK")); err != nil {
			return nil, err
		}
		told++
	}
	if told == 0 {
		return nil, errors.New(missed + "nobody has a task")
	}
	again := before.Redelivered
	for until := time.Now().Add(time.Second); time.Now().Before(until) && again <= before.Redelivered; {
		if now, _, err := d.brokers.consumer(ctx); err == nil {
			again = max(again, now.Redelivered)
		}
		if err := wait.For(ctx, 5*time.Millisecond); err != nil {
			return nil, err
		}
	}
	if again <= before.Redelivered {
		return nil, fmt.Errorf("%snone of the %d tasks was in hand still", missed, told)
	}
	return fields{
		"asked for": strconv.Itoa(told), "redelivered before": strconv.Itoa(before.Redelivered),
		"redelivered after": strconv.Itoa(again),
	}, nil
}

func (d *driver) cut(_ context.Context, r request) (fields, error) {
	m, err := d.victim(r)
	if err != nil {
		return nil, err
	}
	return fields{"cut off": m.Name}, d.local.Cut(m.Name)
}

func (d *driver) slow(_ context.Context, r request) (fields, error) {
	arg, err := r.harmArg()
	if err != nil {
		return nil, err
	}
	m, err := d.victim(r)
	if err != nil {
		return nil, err
	}
	return fields{"slowed down": m.Name}, d.local.Slow(m.Name, time.Duration(arg.MS)*time.Millisecond)
}

// fill fills a broker's disk.
func (d *driver) fill(_ context.Context, r request) (fields, error) {
	m, err := d.victim(r)
	switch {
	case err != nil:
		return nil, err
	case m.Role != localfleet.Broker:
		return nil, errors.New(refused + m.Name + " stores nothing: pick brokers")
	case d.config.Disk == 0:
		return nil, errors.New(refused + "the brokers have no disks of their own: set disk")
	}
	f, err := d.local.Fill(m.Name)
	return facts(f), err
}

func facts(f localfleet.Filled) fields {
	return fields{
		"free before": fmt.Sprint(f.Before), "free full": fmt.Sprint(f.Full),
		"free at most while full": fmt.Sprint(f.Most), "free after": fmt.Sprint(f.After),
		"written": fmt.Sprint(f.Written), "refused": fmt.Sprint(f.Refused),
	}
}

// killed is the exit code of a process that SIGKILL has ended, as a shell tells it.
const killed = 128 + int(syscall.SIGKILL)

// deadlyAfter is how long a deadly task runs first: who has just been started is a member by then to the harness, too.
const deadlyAfter = 500 * time.Millisecond

// ofNode tells whether the node lives: whoever is the parent after it is nobody's victim.
func ofNode() bool { return os.Getppid() == node }

// endNode kills the node.
func endNode() error { return pidfd.SignalIf(node, syscall.SIGKILL, ofNode) }

// deadly ends the node that runs it, once it has told which process that is.
var deadly = pool.Register("respawn-fleet.deadly", func(ctx context.Context, told string) (int, error) {
	if err := wait.For(ctx, deadlyAfter); err != nil {
		return 0, err
	}
	if err := record(told, "%d\n", node); err != nil {
		return 0, err
	}
	err := endNode()
	if err == nil {
		<-ctx.Done()
		err = ctx.Err()
	}
	return 0, err
})

// hungry makes its node the one that the kernel takes first where memory is short, and takes more than there is for
// both. It is in a file without a name: what a process has mapped counts against itself when the kernel chooses.
var hungry = pool.Register("respawn-fleet.hungry", func(ctx context.Context, in hunger) (int, error) {
	if err := wait.For(ctx, deadlyAfter); err != nil {
		return 0, err
	}
	if !ofNode() {
		return 0, pidfd.ErrEnded
	}
	if err := record(in.Told, "%d\n", node); err != nil {
		return 0, err
	}
	score := fmt.Sprintf("/proc/%d/oom_score_adj", node)
	was, err := os.ReadFile(score)
	if err == nil {
		err = os.WriteFile(score, []byte("1000"), 0)
	}
	if err == nil {
		err = eat(ctx, in.Most)
		_ = os.WriteFile(score, bytes.TrimSpace(was), 0) // if it lives still, it was given up elsewhere
	}
	return 0, errors.Join(err, record(in.Told, spared+"%d\n", node))
})

// spared is before the node's number once the task there has come to another end.
const spared = "-"

type hunger struct {
	Told string // the file in which the task tells which node it ends
	Most int64  // bytes that it takes at most, should nobody be ended
}

// poison submits a task that ends its node each time it runs, until the fleet gives it up.
func (d *driver) poison(ctx context.Context, r request) (fields, error) {
	arg, err := r.harmArg()
	switch {
	case err != nil:
	case arg.Memory && d.config.Memory == 0:
		err = errors.New(refused + "the nodes may use as much memory as there is: set memory")
	case !arg.Memory && arg.Code != killed:
		err = fmt.Errorf("%sa node is killed by SIGKILL, which is code %d: want that", refused, killed)
	}
	if err != nil {
		return nil, err
	}
	before, err := d.local.OOMKills()
	if err != nil {
		return nil, err
	}
	told, err := os.CreateTemp("", "respawn-poison-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(told.Name())
	defer told.Close()
	if arg.Memory {
		_, err = hungry.Call(ctx, d.fleet, hunger{told.Name(), 2 * d.config.Memory})
	} else {
		_, err = deadly.Call(ctx, d.fleet, told.Name())
	}
	var lost *pool.WorkerLostError
	if !errors.As(err, &lost) {
		return nil, fmt.Errorf("a task that ends its node was not given up: %w", err)
	}
	pids, err := d.died(ctx, told.Name())
	if err != nil {
		return nil, err
	}
	after, err := d.local.OOMKills()
	return fields{"pids": strings.Join(pids, " "), "given up": lost.Error(), "oom kills": strconv.Itoa(after - before)},
		err
}

// died gives the nodes in the file that have ended, once all of them have, or were spared: a task may run at two nodes
// when it is given up.
func (d *driver) died(ctx context.Context, told string) (pids []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for before := -1; ; before = len(pids) {
		text, err := os.ReadFile(told)
		if err != nil {
			return nil, err
		}
		words := strings.Fields(string(text))
		open := false
		pids = nil
		for _, word := range words {
			lives := slices.ContainsFunc(d.local.Members(),
				func(m localfleet.Member) bool { return strconv.Itoa(m.PID) == word })
			switch {
			case strings.HasPrefix(word, spared):
			case lives:
				open = open || !slices.Contains(words, spared+word)
			default:
				pids = append(pids, word)
			}
		}
		if !open && before == len(pids) { // twice, since an end is told of a moment later
			return pids, nil
		}
		if err := wait.For(ctx, lookEvery); err != nil {
			return nil, fmt.Errorf("a node lives still that was to end: one of %s", text)
		}
	}
}

// cancelBurst is how many tasks are there to be cancelled at a time: fewer than an owner has in the queue at most.
const cancelBurst = 10_000

// cancel submits tasks that would run for an hour, and cancels them.
func (d *driver) cancel(ctx context.Context, r request) (fields, error) {
	arg, err := r.harmArg()
	if err != nil {
		return nil, err
	}
	submitted, cancelled := 0, 0
	for submitted < arg.N && ctx.Err() == nil {
		burst, end := context.WithCancel(ctx)
		futures := make([]*pool.Future[int], min(cancelBurst, arg.N-submitted))
		for i := range futures {
			futures[i] = sleep.Submit(burst, d.fleet, time.Hour)
		}
		submitted += len(futures)
		end()
		for _, f := range futures {
			if _, err := f.Result(ctx); errors.Is(err, context.Canceled) {
				cancelled++
			}
		}
	}
	return fields{"submitted": strconv.Itoa(submitted), "cancelled": strconv.Itoa(cancelled)}, ctx.Err()
}

// heal connects the member in a slot again, whoever is there now, or makes room on its disk.
func (d *driver) heal(_ context.Context, r request) (fields, error) {
	if r.Fault == "fill" {
		f, err := d.local.Free(d.local.Name(r.Slot + 1))
		return facts(f), err
	}
	return fields{"bytes": strconv.FormatInt(d.local.Mend(d.local.Name(r.Slot+1)), 10)}, nil
}
