package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxPayload and maxShared are what hello allows results to have; less than a frame could.
const maxPayload, maxShared = 2 << 20, 2 << 20

// required are the tasks without which hardly a rule can be tried.
var required = []string{"respawn.probe", "respawn.sleep", "respawn.bytes", "respawn.fail"}

func (e *exam) tryReady(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range required {
		if _, ok := h.index[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		h.add(LacksTasks, 1, ruleProved, "it has %s: want %s too", list(h.ready.Tasks), list(missing))
	}
	for fd := 3; fd <= 7; fd++ {
		if open, cloexec := descriptor(h.program.PID(), fd); open && !cloexec {
			h.add(Leaks, 0, ruleStart, "descriptor %d is not close-on-exec: what a handler starts would have it too",
				fd)
		}
	}
	return nil
}

// descriptor looks at a descriptor of another process.
func descriptor(pid, fd int) (open, cloexec bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
	_, rest, ok := bytes.Cut(data, []byte("flags:"))
	if err != nil || !ok {
		return false, false
	}
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	flags, _ := strconv.ParseInt(strings.TrimSpace(string(line)), 8, 64)
	const oCloexec = 0o2000000
	return true, flags&oCloexec != 0
}

func list(names []string) string {
	const most = 8
	if len(names) == 0 {
		return "none"
	}
	text := strings.Join(names[:min(most, len(names))], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// boot starts the worker and waits until it is ready.
func (e *exam) boot(ctx context.Context) (*host, error) {
	h, err := e.start(environment())
	if err != nil {
		return nil, err
	}
	h.greet(protocol)
	f, err := h.opened(ctx)
	if err != nil {
		return nil, err
	}
	if f.kind == kindBootFailed {
		text := h.failure(f)
		h.add(Refused, f.n, ruleFrames, "it could not prepare itself: %s", text)
		return nil, errSpoiled
	}
	return h, h.takeReady(f)
}

// greet sends hello. Fields that a worker does not know are to be ignored.
func (h *host) greet(protocol int) {
	text, _ := json.Marshal(map[string]any{
		"protocol": protocol, "pool": "check", "worker": "Worker-1", "max_payload": maxPayload, "max_shared": maxShared,
		"a field of a later day": []int{1},
	})
	f := frame{kind: kindHello, payload: text}
	h.write(f.append(nil))
}

// opened waits for ready, or boot failed.
func (h *host) opened(ctx context.Context) (*frame, error) {
	late := time.NewTimer(h.limits.Boot)
	defer late.Stop()
	select {
	case f := <-h.opening:
		return f, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-late.C:
		h.add(NoAnswer, 0, ruleFrames, "it did not say ready within %v", h.limits.Boot)
	case <-h.gone:
		select {
		case f := <-h.opening:
			return f, nil
		default:
		}
		h.lost(ctx, "hello")
	}
	return nil, errSpoiled
}

// takeReady reads the JSON of ready.
func (h *host) takeReady(f *frame) error {
	if err := json.Unmarshal(f.payload, &h.ready); err != nil {
		h.add(BadJSON, f.n, ruleJSON, "ready is %.80q: %v", f.payload, err)
		return errSpoiled
	}
	r := h.ready
	switch {
	case r.Protocol == nil || *r.Protocol != protocol:
		h.add(OtherProtocol, f.n, ruleJSON, "ready says protocol %s: want %d", number(r.Protocol), protocol)
		return errSpoiled
	case r.PID == nil || *r.PID != h.program.PID():
		h.add(ForeignPID, f.n, ruleJSON,
			"ready says pid %s, and process %d was started: a script that starts the worker ends in exec",
			number(r.PID), h.program.PID())
		return errSpoiled
	}
	h.shares = slices.Contains(r.Can, "arena")
	h.index = make(map[string]uint16)
	for i, name := range r.Tasks {
		if _, twice := h.index[name]; twice {
			h.add(BadJSON, f.n, ruleJSON, "ready has the task %q twice", name)
		}
		h.index[name] = uint16(i)
	}
	if r.Tasks == nil {
		h.add(BadJSON, f.n, ruleJSON, "ready has no list of tasks")
	}
	if r.SDK == "" {
		h.note(`ready has no "sdk": messages will not say what speaks there`)
	}
	return nil
}

func number(n *int) string {
	if n == nil {
		return "nothing"
	}
	return strconv.Itoa(*n)
}

// failure reads the JSON of an error, and returns its message.
func (h *host) failure(f *frame) string {
	var e failure
	err := json.Unmarshal(f.payload, &e)
	switch {
	case err != nil:
		h.add(BadJSON, f.n, ruleJSON, "a frame %s has %.80q: %v", kindName(f.kind), f.payload, err)
		return ""
	case e.Message == nil || e.Type == nil:
		h.add(BadJSON, f.n, ruleJSON, "a frame %s has %.80q: want message and type", kindName(f.kind), f.payload)
		return ""
	case len(*e.Message) > 4*maxText || len(e.Trace) > 4*maxText: // counted in characters, perhaps
		h.add(BadField, f.n, ruleJSON, "a message of %d bytes and a trace of %d: at most %d each",
			len(*e.Message), len(e.Trace), maxText)
	case f.kind == kindEncode && e.What != "decode argument" && e.What != "encode result":
		h.add(BadJSON, f.n, ruleJSON,
			`an error of kind "encode" with what %q: want "decode argument" or "encode result"`, e.What)
	}
	return *e.Message
}
