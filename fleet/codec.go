package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/respawn-go/respawn/pool"
)

// Messages are CBOR. What comes is bounded before it is decoded: by the broker's largest message, and here by depth and
// length.
var (
	encMode = must(cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode())
	decMode = must(cbor.DecOptions{MaxArrayElements: 1 << 16, MaxMapPairs: 1 << 10, MaxNestedLevels: 16}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the options are constants
	}
	return v
}

// maxExits bounds the deaths that a message brings along.
const maxExits = 64

// wireReply is an outcome on its way. Err of ReplyFailed travels as a code and the fields that its type has.
type wireReply struct {
	Kind     pool.ReplyKind `cbor:"k"`
	Payload  []byte         `cbor:"b,omitempty"`
	Attempts int            `cbor:"a,omitempty"`
	Exits    []pool.Exit    `cbor:"x,omitempty"`
	PID      int            `cbor:"p,omitempty"`
	Run      time.Duration  `cbor:"r,omitempty"`
	Code     string         `cbor:"c,omitempty"`
	Message  string         `cbor:"m,omitempty"`
	Task     string         `cbor:"t,omitempty"`
	Timeout  time.Duration  `cbor:"d,omitempty"`
}

// sentinels are the errors that settle a task and are told by name.
var sentinels = map[string]error{
	"canceled": context.Canceled, "deadline": context.DeadlineExceeded, "closed": pool.ErrClosed,
	"payload": pool.ErrPayloadTooLarge, "unknown": pool.ErrUnknownTask, "crashloop": pool.ErrCrashLoop,
	"queue": pool.ErrQueueFull, "slot": pool.ErrNoSuchSlot,
}

func toWire(r *pool.Reply) *wireReply {
	w := &wireReply{
		Kind: r.Kind, Payload: r.Payload, Attempts: r.Attempts, Exits: last(r.Exits), PID: r.PID, Run: r.Run,
	}
	if r.Err == nil {
		return w
	}
	w.Message = r.Err.Error()
	var lost *pool.WorkerLostError
	var timeout *pool.TimeoutError
	switch {
	case errors.As(r.Err, &lost):
		w.Code, w.Task = "lost", lost.Task
	case errors.As(r.Err, &timeout):
		w.Code, w.Task, w.Timeout = "timeout", timeout.Task, timeout.Timeout
	default:
		for code, err := range sentinels {
			if errors.Is(r.Err, err) {
				w.Code = code
			}
		}
	}
	return w
}

// last is the newest of the exits, as many as travel.
func last(exits []pool.Exit) []pool.Exit { return exits[max(0, len(exits)-maxExits):] }

func fromWire(w *wireReply) *pool.Reply {
	r := &pool.Reply{Kind: w.Kind, Payload: w.Payload, Attempts: w.Attempts, Exits: w.Exits, PID: w.PID, Run: w.Run}
	if w.Kind != pool.ReplyFailed {
		return r
	}
	switch err, known := sentinels[w.Code]; {
	case w.Code == "lost":
		r.Err = &pool.WorkerLostError{Task: w.Task, Attempts: w.Attempts, Exits: w.Exits}
	case w.Code == "timeout":
		e := &pool.TimeoutError{Task: w.Task, Timeout: w.Timeout}
		if n := len(w.Exits); n > 0 {
			e.Exit = w.Exits[n-1]
		}
		r.Err = e
	case known:
		r.Err = &nodeError{w.Message, err}
	default:
		r.Err = errors.New(w.Message)
	}
	return r
}

// nodeError is an error of the node's pool, in its words.
type nodeError struct {
	message string
	is      error
}

func (e *nodeError) Error() string { return e.message }
func (e *nodeError) Unwrap() error { return e.is }

// encode writes a message of the fleet's own types, which can be encoded.
func encode(v any) []byte { return must(encMode.Marshal(v)) }

// encodeReports writes reports, with the results that are plain values, as nearly all are, in columns.
func encodeReports(rs []report) []byte {
	var out []report
	for len(rs) > 0 {
		n := 0
		for n < len(rs) && rs[n].plain() && rs[n].Node == rs[0].Node {
			n++
		}
		if n > 0 {
			out = append(out, report{Node: rs[0].Node, Kind: reportResult, Values: valuesOf(rs[:n])})
			rs = rs[n:]
			continue
		}
		r := rs[0]
		if r.Outcome != nil {
			r.Wire = toWire(r.Outcome)
		}
		out, rs = append(out, r), rs[1:]
	}
	return encode(out)
}

// plain tells whether all that there is to say of a report goes into values.
func (r *report) plain() bool {
	o := r.Outcome
	return r.Kind == reportResult && r.Bytes == 0 && len(r.Items) == 1 && o != nil && o.Kind == pool.ReplyValue &&
		o.Err == nil && len(o.Exits) == 0
}

func valuesOf(rs []report) *values {
	n := len(rs)
	numbers := make([]uint64, 3*n)
	v := &values{
		No: numbers[:n], Seq: numbers[n : 2*n], Run: numbers[2*n:], Payload: make([][]byte, n),
		Attempts: make([]int, n), PID: make([]int, n),
		Took: make([]time.Duration, n),
	}
	for i := range rs {
		it, o := &rs[i].Items[0], rs[i].Outcome
		v.No[i], v.Seq[i], v.Run[i] = it.No, it.Seq, rs[i].Run
		v.Payload[i], v.Attempts[i], v.PID[i], v.Took[i] = o.Payload, o.Attempts, o.PID, o.Run
	}
	return v
}

// reports are those that values is of, or none if its columns do not have one length.
func (v *values) reports(node string) []report {
	n := len(v.No)
	for _, length := range []int{len(v.Seq), len(v.Run), len(v.Payload), len(v.Attempts), len(v.PID), len(v.Took)} {
		if length != n {
			return nil
		}
	}
	rs, items, outcomes := make([]report, n), make([]item, n), make([]pool.Reply, n)
	for i := range rs {
		items[i] = item{No: v.No[i], Seq: v.Seq[i], State: done}
		outcomes[i] = pool.Reply{
			Kind: pool.ReplyValue, Payload: v.Payload[i], Attempts: v.Attempts[i], PID: v.PID[i], Run: v.Took[i],
		}
		rs[i] = report{
			Node: node, Kind: reportResult, Items: items[i : i+1 : i+1], Outcome: &outcomes[i], Run: v.Run[i],
		}
	}
	return rs
}

func decodeReports(data []byte) ([]report, error) {
	var came []report
	if err := decMode.Unmarshal(data, &came); err != nil {
		return nil, fmt.Errorf("fleet: not a report: %w", err)
	}
	var rs []report
	for i := range came {
		r := &came[i]
		if r.Wire != nil {
			r.Outcome = fromWire(r.Wire)
		}
		of := came[i : i+1]
		if r.Values != nil {
			of = r.Values.reports(r.Node)
		}
		if len(of) == 0 || !of[0].whole() {
			return nil, fmt.Errorf("fleet: report of kind %d from %q is not whole", r.Kind, r.Node)
		}
		if len(came) == 1 {
			return of, nil
		}
		rs = append(rs, of...)
	}
	return rs, nil
}

// whole tells whether a report has what its kind needs.
func (r *report) whole() bool {
	one := r.Kind == reportResult || r.Kind == reportReturn
	parts := r.Kind == reportWant || r.Kind == reportPart
	return r.Node != "" && r.Kind >= reportHand && r.Kind <= reportPart && (!one && !parts || len(r.Items) == 1) &&
		(r.Kind != reportResult || r.Outcome != nil) &&
		(!parts || r.Piece != nil) && r.Bytes >= 0 && r.Bytes <= maxPayload
}

// encodeOrders writes orders, with those that accept a result in columns.
func encodeOrders(os []order) []byte {
	var out []order
	for len(os) > 0 {
		n := 0
		for n < len(os) && os[n].Kind == orderAccept && os[n].Owner == os[0].Owner {
			n++
		}
		if n == 0 {
			out, os = append(out, os[0]), os[1:]
			continue
		}
		numbers := make([]uint64, 2*n)
		a := &accepted{No: numbers[:n], Seq: numbers[n:]}
		for i := range n {
			a.No[i], a.Seq[i] = os[i].No, os[i].Seq
		}
		out, os = append(out, order{Owner: os[0].Owner, Kind: orderAccept, Accepted: a}), os[n:]
	}
	return encode(out)
}

func decodeOrders(data []byte) ([]order, error) {
	if len(data) == 0 { // it is only asked whether somebody is there
		return nil, nil
	}
	var came []order
	if err := decMode.Unmarshal(data, &came); err != nil {
		return nil, fmt.Errorf("fleet: not an order: %w", err)
	}
	var os []order
	for _, o := range came {
		a := o.Accepted
		switch {
		case (o.Kind == orderWant || o.Kind == orderPart) && o.Piece == nil, a != nil && len(a.No) != len(a.Seq):
			return nil, fmt.Errorf("fleet: order of kind %d from %q is not whole", o.Kind, o.Owner)
		case a == nil:
			os = append(os, o)
			continue
		}
		os = slices.Grow(os, len(a.No))
		for i, no := range a.No {
			os = append(os, order{Owner: o.Owner, Kind: orderAccept, No: no, Seq: a.Seq[i]})
		}
	}
	return os, nil
}
