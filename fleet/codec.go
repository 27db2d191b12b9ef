package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/respawn-go/respawn/pool"
)

// Messages are CBOR. What comes is bounded before it is decoded: by the broker's largest message, and here by depth and length.
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
	"canceled": context.Canceled, "deadline": context.DeadlineExceeded, "closed": pool.ErrClosed, "payload": pool.ErrPayloadTooLarge,
	"unknown": pool.ErrUnknownTask, "crashloop": pool.ErrCrashLoop, "queue": pool.ErrQueueFull, "slot": pool.ErrNoSuchSlot,
}

func toWire(r *pool.Reply) *wireReply {
	w := &wireReply{Kind: r.Kind, Payload: r.Payload, Attempts: r.Attempts, Exits: last(r.Exits), PID: r.PID, Run: r.Run}
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

func encodeReports(rs []report) []byte {
	for i := range rs {
		if rs[i].Outcome != nil {
			rs[i].Wire = toWire(rs[i].Outcome)
		}
	}
	return encode(rs)
}

func decodeReports(data []byte) ([]report, error) {
	var rs []report
	if err := decMode.Unmarshal(data, &rs); err != nil {
		return nil, fmt.Errorf("fleet: not a report: %w", err)
	}
	for i := range rs {
		r := &rs[i]
		if r.Wire != nil {
			r.Outcome = fromWire(r.Wire)
		}
		one := r.Kind == reportResult || r.Kind == reportReturn
		parts := r.Kind == reportWant || r.Kind == reportPart
		if r.Node == "" || r.Kind < reportHand || r.Kind > reportPart || (one || parts) && len(r.Items) != 1 || r.Kind == reportResult && r.Outcome == nil ||
			parts && r.Piece == nil || r.Bytes < 0 || r.Bytes > maxPayload {
			return nil, fmt.Errorf("fleet: report of kind %d from %q is not whole", r.Kind, r.Node)
		}
	}
	return rs, nil
}

func decodeOrders(data []byte) ([]order, error) {
	var os []order
	if len(data) == 0 { // it is only asked whether somebody is there
		return nil, nil
	}
	if err := decMode.Unmarshal(data, &os); err != nil {
		return nil, fmt.Errorf("fleet: not an order: %w", err)
	}
	for _, o := range os {
		if (o.Kind == orderWant || o.Kind == orderPart) && o.Piece == nil {
			return nil, fmt.Errorf("fleet: order of kind %d from %q is not whole", o.Kind, o.Owner)
		}
	}
	return os, nil
}
