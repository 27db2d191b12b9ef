package fleet

import (
	"time"

	"github.com/respawn-go/respawn/pool"
)

// The messages of a fleet. An envelope is stored in the broker's stream; reports go from nodes to owners and orders
// from owners to nodes as messages that nobody stores, which may be lost, doubled or late. Durations travel, instants
// never do.

// What nobody waits for leaves with other messages, or when there is much of it, or after a while.
const (
	lazyFor   = 2 * time.Millisecond
	manyLater = 64
)

// letters are what is to be told, by whom it is for. The zero value has none, and one with none can be used again.
type letters[T any] struct {
	to    []string // in the order in which they were first written to
	of    map[string][]T
	spare []T // for the next of them
	count int
}

func (l *letters[T]) add(to string, one T) {
	list, begun := l.of[to]
	if !begun {
		if l.of == nil {
			l.of = make(map[string][]T)
		}
		l.to = append(l.to, to)
		list, l.spare = l.spare, nil
	}
	l.of[to] = append(list, one)
	l.count++
}

// each tells all of them. What tell is given is its own until it returns.
func (l *letters[T]) each(tell func(to string, all []T)) {
	for _, to := range l.to {
		tell(to, l.of[to])
		l.spare = again(l.of[to])
		delete(l.of, to)
	}
	l.to, l.count = l.to[:0], 0
}

// envelope is a task as it is stored: everything that a node needs to run it.
type envelope struct {
	Owner string `cbor:"o"`           // the identity of whoever holds its future
	No    uint64 `cbor:"n"`           // its number there
	Try   int    `cbor:"t"`           // how often it has been published, from 1
	Ask   bool   `cbor:"a,omitempty"` // it may have run before: ask its owner first
	Task  string `cbor:"k"`
	Arg   []byte `cbor:"b"`
	// of an argument that stays with its owner, until the node asks for it; Arg is empty then
	Size     int           `cbor:"z,omitempty"`
	External bool          `cbor:"l,omitempty"` // for workers of another language
	Key      string        `cbor:"i"`
	Timeout  time.Duration `cbor:"d,omitempty"`
	Delivery pool.Delivery `cbor:"m,omitempty"`
	Budgets  pool.Budgets  `cbor:"g,omitzero"`
	Attempts int           `cbor:"c,omitempty"` // at workers, so far
	Exits    []pool.Exit   `cbor:"x,omitempty"`
}

// asksFirst tells whether a node must have its owner's word before it runs the task, even when it is delivered for the
// first time.
func (e *envelope) asksFirst() bool { return e.Ask || e.Delivery == pool.AtMostOnce }

// delivery is a stored task as the broker handed it to a node.
type delivery struct {
	envelope
	Seq   uint64 // in the stream
	Count int    // how often the broker says it has been delivered, this time included
	Ack   string // where this delivery is acknowledged; it names the incarnation of the consumer
}

// stateAtNode is how far a task is in a node's hand.
type stateAtNode uint8

const (
	asking  stateAtNode = iota // not started; waits for its owner's word
	running                    // started
	done                       // finished; its result waits to be accepted
)

// item is one task in a report.
type item struct {
	No       uint64      `cbor:"n"`
	Seq      uint64      `cbor:"s"`
	Ack      string      `cbor:"a"`
	Count    int         `cbor:"c,omitempty"` // how often it has been delivered, as the broker says
	State    stateAtNode `cbor:"t,omitempty"`
	Question uint64      `cbor:"q,omitempty"` // of one that asks: answers name it
}

// misfit is why a task and a node's program do not go together.
type misfit uint8

const (
	fits         misfit = iota
	unknownTask         // the program has no task of that name
	otherWorkers        // the task is for workers of another language than the pool's, or for none
)

type reportKind uint8

const (
	reportHand   reportKind = iota + 1 // Items: what it has, newly or still; those that ask want an answer
	reportResult                       // Items[0], Outcome
	// Items[0]: it cannot run it, and never started it; the question is given up for ever
	reportReturn
	reportPong  // it is there; Hand is what it has
	reportHello // a new process: Name and Host say where
	reportBye   // it has drained and ends; nothing is in its hand
	reportWant  // Items[0]: it wants Piece of its argument
	reportPart  // Items[0]: Piece of its result; without data: that is not here
)

// report is what a node tells an owner.
type report struct {
	Node    string      `cbor:"n"` // the identity of this process
	Kind    reportKind  `cbor:"k"`
	Items   []item      `cbor:"i,omitempty"`
	Outcome *pool.Reply `cbor:"-"`
	// of a result that stays with its node, until the owner asks for it; Outcome has no payload then
	Bytes int        `cbor:"y,omitempty"`
	Run   uint64     `cbor:"r,omitempty"` // of reportResult: which run of this node's has made it
	Piece *piece     `cbor:"f,omitempty"`
	Wire  *wireReply `cbor:"o,omitempty"` // Outcome, as it travels
	// of reportResult, on its way, in place of Items, Outcome and Run: as many results of this node
	Values  *values `cbor:"v,omitempty"`
	Workers int     `cbor:"w,omitempty"` // of reportHello: as many tasks as it takes
	Size    int     `cbor:"z,omitempty"` // of reportHello: its worker processes
	Misfit  misfit  `cbor:"u,omitempty"` // of reportReturn: why no node of its program runs the task
	Ping    uint64  `cbor:"p,omitempty"` // of reportPong: the ping that it answers
	Name    string  `cbor:"l,omitempty"` // a label; two processes may have the same
	Host    string  `cbor:"h,omitempty"` // the machine, the same after a restart
	PID     int     `cbor:"d,omitempty"` // of reportHello, on its host
	Program string  `cbor:"g,omitempty"` // of reportHello: nodes of equal ones know the same tasks
	Broker  string  `cbor:"b,omitempty"` // of reportHello: the URL of the broker that it is connected to
}

// values are results that are plain values, in columns: to describe the fields of each costs more than what is in them.
type values struct {
	No       []uint64        `cbor:"n"`
	Seq      []uint64        `cbor:"s"`
	Run      []uint64        `cbor:"r"`
	Payload  [][]byte        `cbor:"b"`
	Attempts []int           `cbor:"a"`
	PID      []int           `cbor:"p"`
	Took     []time.Duration `cbor:"t"`
}

type orderKind uint8

const (
	orderPing   orderKind = iota + 1
	orderRun              // to what asks: run it
	orderLeave            // somebody else has it: let go of it without acknowledging
	orderDrop             // it is settled: acknowledge it, and cancel it if it runs
	orderAccept           // its result, or its return, has been taken: acknowledge it
	orderDrain            // to the node: take nothing new, finish, and end
	orderGone             // its owner ends: acknowledge and cancel all that it has of it
	orderWant             // the owner wants Piece of its result
	orderPart             // Piece of its argument
)

// order is what an owner tells a node.
type order struct {
	Owner string    `cbor:"o"`
	Kind  orderKind `cbor:"k"`
	No    uint64    `cbor:"n,omitempty"`
	// the stored message that a leave or an accept is for: the same task may come again as another
	Seq uint64 `cbor:"s,omitempty"`
	// of orderRun: what it answers; of orderPing: what the pong repeats
	Question uint64 `cbor:"q,omitempty"`
	// of orderRun: when nothing else runs at the node, and with nothing beside it
	Alone    bool      `cbor:"l,omitempty"`
	Piece    *piece    `cbor:"f,omitempty"`
	Accepted *accepted `cbor:"a,omitempty"` // of orderAccept, on its way, in place of No and Seq
}

// accepted are results, in columns as values are.
type accepted struct {
	No  []uint64 `cbor:"n"`
	Seq []uint64 `cbor:"s"`
}
