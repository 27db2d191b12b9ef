//go:build linux

// Reference is a worker of a respawn pool in Go, over the protocol for workers of any language (docs/wire.md): what the
// page says, in the order in which it says it, and nothing of this project's code. It has the tasks by which a worker
// is proved.
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"
)

const (
	kindHello, kindTask, kindReady, kindBootFailed, kindValue, kindError, kindEncode, kindUnknown, kindGoodbye = 1, 2,
		3, 4, 5, 6, 8, 9, 10

	flagBytes, flagWantBytes  = 4, 8
	orderCancel, orderStop    = 2, 4
	protocol, header, maxText = 1, 32, 64 << 10
)

// frame is a frame of the task socket.
type frame struct {
	kind, flags byte
	handler     uint16
	id          uint64
	seq         uint32
	payload     []byte // without the key
}

// failure is an error as JSON has it.
type failure struct {
	Message  string `json:"message"`
	Type     string `json:"type"`
	Trace    string `json:"trace"`
	What     string `json:"what,omitempty"`
	TooLarge bool   `json:"too_large,omitempty"`
}

// worker serves one pool.
type worker struct {
	tasks, control *os.File
	frames         chan frame
	stop           chan struct{} // closed when no other task is to be started
	stopping       sync.Once
	limit          int
	ticket         int64 // one in hand, whose frame is still to come; else -1

	writing sync.Mutex
	running atomic.Int64 // the seq of the task that runs; else -1
	cancel  atomic.Pointer[chan struct{}]
}

func main() {
	if os.Getenv("RESPAWN_PROTOCOL") == "" {
		fmt.Fprintln(os.Stderr, "this is a worker of a respawn pool, and no pool started it")
		os.Exit(2)
	}
	os.Unsetenv("RESPAWN_PROTOCOL")
	for fd := 3; fd <= 7; fd++ {
		syscall.CloseOnExec(fd)
	}
	w := &worker{
		tasks: os.NewFile(3, "tasks"), control: os.NewFile(4, "control"), frames: make(chan frame),
		stop: make(chan struct{}), ticket: -1,
	}
	w.running.Store(-1)
	signal.Ignore(syscall.SIGINT)
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go w.readFrames()
	w.greet(<-w.frames)
	go w.readOrders()
	go func() {
		<-term
		w.write(kindGoodbye, frame{}, nil, 0)
		w.end()
	}()
	w.serve()
}

// end says that no other task is to be started.
func (w *worker) end() { w.stopping.Do(func() { close(w.stop) }) }

// orphaned is the end of a worker whose pool is gone: of all that it started too.
func orphaned() {
	_ = syscall.Kill(-os.Getpid(), syscall.SIGKILL)
	os.Exit(1)
}

func (w *worker) readFrames() {
	head := make([]byte, header)
	for {
		if _, err := io.ReadFull(w.tasks, head); err != nil {
			orphaned()
		}
		payload := make([]byte, binary.LittleEndian.Uint32(head))
		if _, err := io.ReadFull(w.tasks, payload); err != nil {
			orphaned()
		}
		w.frames <- frame{
			kind: head[4], flags: head[5], handler: binary.LittleEndian.Uint16(head[6:]),
			id: binary.LittleEndian.Uint64(head[8:]), seq: binary.LittleEndian.Uint32(head[16:]),
			payload: payload[binary.LittleEndian.Uint16(head[22:]):],
		}
	}
}

func (w *worker) readOrders() {
	for order := make([]byte, 8); ; {
		if _, err := io.ReadFull(w.control, order); err != nil {
			orphaned()
		}
		switch order[0] {
		case orderCancel:
			if w.running.CompareAndSwap(int64(binary.LittleEndian.Uint32(order[4:])), -1) {
				close(*w.cancel.Load())
			}
		case orderStop:
			w.end()
		}
	}
}

func (w *worker) write(kind byte, of frame, payload []byte, run time.Duration) {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
	b = append(b, kind, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, of.id)
	b = binary.LittleEndian.AppendUint32(b, of.seq)
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(run))
	w.writing.Lock()
	defer w.writing.Unlock()
	if _, err := w.tasks.Write(append(b, payload...)); err != nil {
		orphaned()
	}
}

// greet answers hello.
func (w *worker) greet(f frame) {
	var hello struct {
		Protocol   int `json:"protocol"`
		MaxPayload int `json:"max_payload"`
	}
	if err := json.Unmarshal(f.payload, &hello); err != nil || f.kind != kindHello || hello.Protocol != protocol {
		w.write(kindBootFailed, frame{}, encode(failure{
			Message: fmt.Sprintf("this worker speaks protocol %d, and the pool %d", protocol, hello.Protocol),
			Type:    "protocol",
		}), 0)
		os.Exit(1)
	}
	w.limit = hello.MaxPayload
	names := make([]string, len(handlers))
	for i, h := range handlers {
		names[i] = h.name
	}
	w.write(kindReady, frame{}, encode(map[string]any{
		"protocol": protocol, "pid": os.Getpid(), "tasks": names, "can": []string{"cancel"}, "sdk": "go reference",
	}), 0)
}

// serve runs tasks until it is told to end.
func (w *worker) serve() {
	for {
		select {
		case <-w.stop:
			os.Exit(0)
		default:
		}
		select {
		case <-w.stop:
		case f := <-w.frames:
			cancelled := make(chan struct{})
			w.cancel.Store(&cancelled)
			w.running.Store(int64(f.seq)) // before the ticket: it may be cancelled at once
			if f.kind == kindTask && w.claim(f.seq) {
				began := time.Now()
				kind, payload := w.answer(f, cancelled)
				w.write(kind, f, payload, time.Since(began))
			}
			w.running.Store(-1)
		}
	}
}

// claim takes the ticket of a frame that is here whole. False: the task was taken back.
func (w *worker) claim(seq uint32) bool {
	if w.ticket < 0 {
		var b [4]byte
		n, err := syscall.Read(5, b[:])
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return false
		case err != nil || n == 0:
			orphaned()
		}
		w.ticket = int64(binary.LittleEndian.Uint32(b[:]))
	}
	if w.ticket != int64(seq) {
		return false
	}
	w.ticket = -1
	return true
}

// answer runs a handler: the kind of its answer, and the payload.
func (w *worker) answer(f frame, cancelled <-chan struct{}) (kind byte, payload []byte) {
	if int(f.handler) >= len(handlers) {
		return kindUnknown, encode(failure{Message: fmt.Sprintf("there is no handler %d", f.handler), Type: "unknown"})
	}
	var argument any = f.payload
	if f.flags&flagBytes == 0 {
		argument = nil
		err := json.Unmarshal(f.payload, &argument)
		if err == nil && !utf8.Valid(f.payload) {
			err = errors.New("no UTF-8")
		}
		if err != nil {
			return kindEncode,
				encode(failure{Message: err.Error(), Type: fmt.Sprintf("%T", err), What: "decode argument"})
		}
	}
	result, err := handlers[f.handler].run(argument, cancelled)
	if err != nil {
		return kindError,
			encode(failure{Message: err.Error()[:min(len(err.Error()), maxText)], Type: fmt.Sprintf("%T", err)})
	}
	data, isBytes := result.([]byte)
	misfit := failure{Type: "misfit", What: "encode result"}
	switch {
	case isBytes != (f.flags&flagWantBytes != 0):
		misfit.Message = fmt.Sprintf("the handler returned %T, and its caller wants bytes: %v", result, !isBytes)
		return kindEncode, encode(misfit)
	case !isBytes:
		data = encode(result)
	}
	if len(data) > w.limit {
		misfit.Message, misfit.TooLarge = fmt.Sprintf("%d bytes, at most %d", len(data), w.limit), true
		return kindEncode, encode(misfit)
	}
	return kindValue, data
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain values
	}
	return data
}

// handler is a task that this worker has.
type handler struct {
	name string
	run  func(argument any, cancelled <-chan struct{}) (any, error)
}

type answer struct {
	ID    int    `json:"id"`
	PID   int    `json:"pid"`
	Value string `json:"value"`
}

func proved(id, n int) answer { return answer{id, os.Getpid(), fmt.Sprint(n * n)} }

// handlers are the tasks by which a worker is proved.
var handlers = []handler{
	{"respawn.probe", func(v any, _ <-chan struct{}) (any, error) {
		n, ok := v.(float64)
		if !ok {
			return nil, fmt.Errorf("%v is no number", v)
		}
		return proved(0, int(n)), nil
	}},
	{"respawn.sleep", func(v any, cancelled <-chan struct{}) (any, error) {
		w, _ := v.(map[string]any)
		id, _ := w["id"].(float64)
		ns, _ := w["ns"].(float64)
		select {
		case <-time.After(time.Duration(ns)):
		case <-cancelled:
		}
		return proved(int(id), int(id)), nil
	}},
	{"respawn.bytes", func(v any, _ <-chan struct{}) (any, error) { return v, nil }},
	{"respawn.fail", func(v any, _ <-chan struct{}) (any, error) { return nil, fmt.Errorf("%v", v) }},
	{"respawn.print", func(v any, _ <-chan struct{}) (any, error) {
		fmt.Println(v)
		fmt.Fprintln(os.Stderr, v)
		return nil, nil
	}},
	{"respawn.child", func(v any, _ <-chan struct{}) (any, error) {
		cmd := exec.Command("sleep", fmt.Sprint(v))
		err := cmd.Start()
		if err != nil {
			return nil, err
		}
		return cmd.Process.Pid, nil
	}},
}
