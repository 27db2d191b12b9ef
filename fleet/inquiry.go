package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/respawn-go/respawn/pool"
)

// An operator asks everybody at once, on F.ask. Owners answer on F.op.<the question's id>, nodes by saying hello.

type inquiryKind uint8

const (
	inquireStatus inquiryKind = iota + 1 // what it has; and all that it knows of Task
	inquirePurge                         // it is to give up what nobody has
)

// inquiry is what an operator asks owners.
type inquiry struct {
	Kind inquiryKind `cbor:"k"`
	Task string      `cbor:"t,omitempty"`
}

// OwnerInfo is an owner: a process that has submitted tasks, and holds them until they settle.
type OwnerInfo struct {
	ID          string       `json:"id"` // one Dial, never used again
	Host        string       `json:"host"`
	PID         int          `json:"pid"` // on that host
	Answers     bool         `json:"answers"`
	Outstanding int          `json:"outstanding"` // tasks that have not settled
	Waiting     int          `json:"waiting"`     // of them, those that are not in the queue yet
	Stored      uint64       `json:"stored"`      // of its tasks in the queue, with those that nodes have
	Oldest      Milliseconds `json:"oldest_ms"`   // since the oldest of them was submitted
	Stats
	Blind    bool       `json:"blind"`            // it was cut off or held up just now, and judges nobody
	Nodes    []NodeInfo `json:"nodes"`            // as it sees them: who is suspected, and why
	Suspects []TaskInfo `json:"suspects"`         // tasks with which two nodes or more were lost; 20 at most
	Settled  int        `json:"-" cbor:"settled"` // by a purge
	Tasks    []TaskInfo `json:"-" cbor:"tasks"`   // those that were asked for
}

// TaskInfo is what an owner knows of a task that has not settled.
type TaskInfo struct {
	Owner     string       `json:"owner"`
	ID        uint64       `json:"id"` // as pool.Future.TaskID gives it
	Key       string       `json:"key"`
	Task      string       `json:"task"` // the name that it is registered under
	State     TaskState    `json:"state"`
	Age       Milliseconds `json:"age_ms"` // since it was submitted
	Delivery  string       `json:"delivery"`
	Try       int          `json:"try"`      // how often it has been put in the queue
	Sequence  uint64       `json:"sequence"` // of that in the queue; 0: the broker has not confirmed it
	Ahead     uint64       `json:"ahead"`    // of it in the queue, at most
	Holders   []Holder     `json:"holders"`  // nodes that have it
	NodesLost int          `json:"nodes_lost"`
	Blamed    int          `json:"blamed"` // for ends of node processes
	Budget    int          `json:"budget"` // of these; it settles with the last
	RunsIn    Milliseconds `json:"runs_in_ms"`
	Returned  int          `json:"returned"` // how often a node has given it back
	// why, if no node of that program will run it: "unknown task", "other workers"
	Misfit     string   `json:"misfit"`
	Exits      []string `json:"exits"` // deaths of workers and nodes, so far
	OwnerBlind bool     `json:"owner_blind"`
}

// TaskState is where a task is.
type TaskState string

// The states of a task, in the order in which it goes through them.
const (
	TaskWaiting  TaskState = "waiting"  // at its owner: enough others of it are in the queue
	TaskStoring  TaskState = "storing"  // the broker has not confirmed it
	TaskStored   TaskState = "stored"   // in the queue, and at no node as far as its owner knows
	TaskReturned TaskState = "returned" // a node gave it back: it is put in the queue again in RunsIn
	TaskHeld     TaskState = "held"     // at a node, which waits for a worker or for its owner's word
	TaskRunning  TaskState = "running"
	TaskDone     TaskState = "done" // its result is on the way
)

// Holder is a node that has a task.
type Holder struct {
	Node  string    `json:"node"`
	Name  string    `json:"name"`
	State string    `json:"state"` // the node's, as in NodeInfo
	Task  TaskState `json:"task"`
}

// ErrPurged settles tasks that an operator has taken out of the queue; see [Purge].
var ErrPurged = errors.New("fleet: an operator has purged the queue")

const (
	mostSuspects = 20
	mostMatches  = 20
)

func (m misfit) String() string {
	return [...]string{"", "unknown task", "other workers"}[min(m, otherWorkers)]
}

// describe tells all that the judge knows of a task.
func (j *judge) describe(now time.Duration, t *task) TaskInfo {
	info := TaskInfo{
		Owner: j.owner, State: TaskStored, Age: Milliseconds(now - t.born), Delivery: t.delivery.String(), Try: t.try,
		Sequence: t.seq, NodesLost: t.losses,
		Blamed: t.blamed, Budget: t.budget, RunsIn: Milliseconds(max(t.notYet-now, 0)), Returned: t.returns,
		OwnerBlind: j.blind(),
	}
	if info.Budget == 0 {
		info.Budget = j.Budget
	}
	switch {
	case t.due > 0:
		info.State, info.RunsIn = TaskReturned, Milliseconds(max(t.due-now, t.notYet-now, 0))
	case t.seq == 0:
		info.State = TaskStoring
	}
	if t.returns > 0 {
		info.Misfit = t.misfit.String()
	}
	for _, h := range t.holds {
		at := map[stateAtNode]TaskState{asking: TaskHeld, running: TaskRunning, done: TaskDone}[h.state]
		info.Holders = append(info.Holders,
			Holder{Node: h.node.id, Name: h.node.name, State: h.node.state.String(), Task: at})
		if info.State != TaskRunning && info.State != TaskDone {
			info.State = at
		}
	}
	for _, e := range t.exits {
		info.Exits = append(info.Exits, e.Worker+": "+e.Kind.String())
	}
	return info
}

// known is what this owner can tell of a task.
func (st *ownerState) known(now time.Duration, out *outgoing) TaskInfo {
	info := TaskInfo{
		Owner: st.id, State: TaskWaiting, Age: Milliseconds(now - out.born), Delivery: out.envelope.Delivery.String(),
	}
	if t := st.judge.tasks[out.envelope.No]; t != nil {
		info = st.judge.describe(now, t)
	}
	info.ID, info.Key, info.Task = out.message.ID, out.envelope.Key, out.envelope.Task
	return info
}

// means tells whether a task is the one that somebody asks for: by its number, by its owner and number, or by its key.
func (o *owner) means(what string, out *outgoing) bool {
	number := strconv.FormatUint(out.message.ID, 10)
	return what == out.envelope.Key || what == number || what == o.id+"."+number
}

// seen are the nodes as this owner sees them.
func (st *ownerState) seen(now time.Duration) []NodeInfo {
	list := st.judge.nodeInfos(now)
	for i := range list {
		if out := st.sent[list[i].Suspect]; out != nil {
			list[i].Suspect = out.message.ID
		}
	}
	return list
}

// inquired answers an operator.
func (st *ownerState) inquired(now time.Duration, m *nats.Msg) (settled []settlement) {
	var q inquiry
	if m.Reply == "" { // it is only tried whether somebody may ask
		return nil
	}
	if !strings.HasPrefix(m.Reply, st.link.operator("")) || decMode.Unmarshal(m.Data, &q) != nil {
		st.log.Warn("a message that no operator should send", "subject", m.Subject)
		return nil
	}
	host, _ := os.Hostname()
	a := OwnerInfo{ID: st.id, Host: host, PID: os.Getpid(), Answers: true}
	switch q.Kind {
	case inquireStatus:
		st.tellAll(now, q.Task, &a)
	case inquirePurge:
		settled, a.Settled = st.purge(now)
	}
	a.Outstanding, a.Waiting, a.Blind, a.Stats = len(st.sent), len(st.sent)-st.out, st.judge.blind(), st.judge.stats
	a.Nodes = st.seen(now)
	_ = st.link.nc.Publish(m.Reply, encode(a))
	return settled
}

// tellAll fills in what takes a look at each task.
func (st *ownerState) tellAll(now time.Duration, what string, a *OwnerInfo) {
	oldest := now
	for _, out := range st.sent {
		oldest = min(oldest, out.born)
		if t := st.judge.tasks[out.envelope.No]; t != nil && t.quarantined() && len(a.Suspects) < mostSuspects {
			a.Suspects = append(a.Suspects, st.known(now, out))
		}
		if what != "" && len(a.Tasks) < mostMatches && st.means(what, out) {
			a.Tasks = append(a.Tasks, st.known(now, out))
		}
	}
	a.Oldest = Milliseconds(now - oldest)
}

// purge gives up what nobody has, and takes it out of the queue. What nodes have goes on: its message may go with the
// others, which costs it the broker's help and not its owner's. It tells how many that were; the judge's are settled
// with its effects.
func (st *ownerState) purge(now time.Duration) (settled []settlement, n int) {
	for _, no := range sortedKeys(st.sent) {
		out := st.sent[no]
		if t := st.judge.tasks[no]; t != nil && len(t.holds) > 0 {
			continue
		} else if n++; t != nil {
			st.judge.purge(now, t)
			continue
		}
		settled = st.settle(settled, now, out.envelope.No, &pool.Reply{Err: ErrPurged})
	}
	upTo := st.judge.highest
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), apiTimeout)
		defer cancel()
		st.link.purge(ctx, st.id, upTo)
	}()
	return settled, n
}

// purge settles a task that nobody has.
func (j *judge) purge(now time.Duration, t *task) {
	j.now = now
	j.settle(t, &pool.Reply{Err: ErrPurged})
}

// asked is what an inquiry brings: owners' answers, and nodes that say hello, as they come.
type asked struct {
	mu     sync.Mutex
	owners map[string]OwnerInfo
	nodes  map[string]NodeInfo
	began  time.Time
}

// inquire asks everybody.
func (l *link) inquire(q inquiry) (*asked, error) {
	a := &asked{owners: make(map[string]OwnerInfo), nodes: make(map[string]NodeInfo), began: time.Now()}
	reply := l.operator(newID())
	_, err := l.nc.Subscribe(reply, func(m *nats.Msg) {
		var info OwnerInfo
		if decMode.Unmarshal(m.Data, &info) != nil || info.ID == "" {
			return
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.owners[info.ID] = info
	})
	if err == nil {
		_, err = l.nc.Subscribe(l.nodes(), a.hello)
	}
	if err == nil {
		err = l.nc.PublishRequest(l.asks(), reply, encode(q))
	}
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	return a, nil
}

// hello is a node that says that it is there.
func (a *asked) hello(m *nats.Msg) {
	rs, err := decodeReports(m.Data)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range rs {
		if r.Kind == reportHello {
			a.nodes[r.Node] = NodeInfo{
				ID: r.Node, Name: r.Name, Host: r.Host, PID: r.PID, Workers: r.Size, State: alive.String(),
			}
		}
	}
}

const (
	listening = 2200 * time.Millisecond // each node says hello within that time, even if it is not asked
	answering = 300 * time.Millisecond  // who is asked answers sooner, mostly
)

// wait waits for answers: for a moment at least, and then until all nodes have said hello that owners know to be alive,
// or so long that each of them had to by itself.
func (a *asked) wait(ctx context.Context) {
	for since := time.Since(a.began); ctx.Err() == nil && since < listening &&
		(since < answering || a.incomplete()); since = time.Since(a.began) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (a *asked) incomplete() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.owners {
		for _, n := range o.Nodes {
			if _, here := a.nodes[n.ID]; n.State == alive.String() && !here {
				return true
			}
		}
	}
	return len(a.owners) == 0
}

// here are the nodes that have said so, by name.
func (a *asked) here() []NodeInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]NodeInfo, 0, len(a.nodes))
	for _, id := range sortedKeys(a.nodes) {
		list = append(list, a.nodes[id])
	}
	slices.SortStableFunc(list, func(a, b NodeInfo) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// all are the owners that have answered, by their identities.
func (a *asked) all() (list []OwnerInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range sortedKeys(a.owners) {
		list = append(list, a.owners[id])
	}
	return list
}
