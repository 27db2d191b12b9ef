package check

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// proved is the answer of the tasks that name themselves.
type proved struct {
	ID    uint64 `json:"id"`
	PID   int    `json:"pid"`
	Value string `json:"value"`
}

// want waits for an answer of that kind.
func (h *host) want(ctx context.Context, s *sent, kind byte) (*frame, error) {
	return h.wantWithin(ctx, s, kind, h.limits.Task)
}

func (h *host) wantWithin(ctx context.Context, s *sent, kind byte, limit time.Duration) (*frame, error) {
	f, err := h.resultWithin(ctx, s, limit)
	if err != nil {
		return nil, err
	}
	if f.kind != kind {
		h.add(WrongKind, f.n, ruleFrames, "task %d (%s) was answered with %s, %.200q: want %s",
			s.id, s.name, kindName(f.kind), f.payload,
			kindName(kind))
		return nil, errSpoiled
	}
	return f, nil
}

// squared waits for the answer of respawn.probe to n.
func (h *host) squared(ctx context.Context, s *sent, n int) error {
	f, err := h.want(ctx, s, kindValue)
	if err != nil {
		return err
	}
	var got proved
	if err := json.Unmarshal(f.payload, &got); err != nil {
		h.add(BadJSON, f.n, ruleProved, "%s was answered with %.80q: %v", s.name, f.payload, err)
		return errSpoiled
	}
	if want := fmt.Sprint(n * n); got.Value != want || got.PID != h.program.PID() {
		h.add(WrongValue, f.n, ruleProved, "%s of %d: pid %d and value %q: want %d and %q",
			s.name, n, got.PID, got.Value, h.program.PID(), want)
	}
	return nil
}

// probe asks whether the worker still works.
func (h *host) probe(ctx context.Context, n int) error {
	return h.squared(ctx, h.send("respawn.probe", n)[0], n)
}

func (e *exam) tryTasks(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	if err := h.probe(ctx, 7); err != nil {
		return err
	}
	args := make([]any, 100)
	for i := range args {
		args[i] = i
	}
	for i, s := range h.send("respawn.probe", args...) {
		if err := h.squared(ctx, s, i); err != nil {
			return err
		}
	}
	key := "clé"
	s := h.send("respawn.probe", frame{keyLen: uint16(len(key)), attempt: 3, payload: []byte(key + " 9 ")})[0]
	if err := h.squared(ctx, s, 9); err != nil {
		return err
	}
	const nap = 200 * time.Millisecond
	s = h.sleep(nap)[0]
	f, err := h.want(ctx, s, kindValue)
	if err == nil && time.Duration(f.run) < nap/2 {
		h.add(WrongTime, f.n, ruleFrames, "a task of %v is said to have run for %v", nap, time.Duration(f.run))
	}
	return err
}

// sleep sends tasks that last.
func (h *host) sleep(lasting ...time.Duration) []*sent {
	asks := make([]ask, len(lasting))
	for i, d := range lasting {
		asks[i] = sleeping(i, d)
	}
	return h.sendAll(asks...)
}

// sleeping is a task that lasts.
func sleeping(id int, d time.Duration) ask {
	return ask{"respawn.sleep", map[string]any{"id": id, "ns": d.Nanoseconds()}}
}

func (e *exam) tryBytes(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for _, want := range [][]byte{{}, all, bytes.Repeat(all, 100), bytes.Repeat(all, maxPayload/256)} {
		f, err := h.want(ctx, h.send("respawn.bytes", want)[0], kindValue)
		if err != nil {
			return err
		}
		if !bytes.Equal(f.payload, want) {
			h.add(WrongValue, f.n, ruleJSON, "%d bytes came back as %d, or others: bytes go as they are",
				len(want), len(f.payload))
		}
	}
	f, err := h.want(ctx, h.send("respawn.bytes", make([]byte, maxFrame))[0], kindEncode) // more than max_payload
	if err != nil {
		return err
	}
	var told failure
	_ = json.Unmarshal(f.payload, &told)
	if h.failure(f); !told.TooLarge {
		h.add(BadJSON, f.n, ruleFrames,
			`a result of more than max_payload is answered with %.80q: want "too_large": true`, f.payload)
	}
	return h.probe(ctx, 3)
}

func (e *exam) tryErrors(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	for _, text := range []string{"no good: <é> \u2028", strings.Repeat("long ", 100_000)} {
		f, err := h.want(ctx, h.send("respawn.fail", text)[0], kindError)
		if err != nil {
			return err
		}
		var told failure
		_ = json.Unmarshal(f.payload, &told)
		got := h.failure(f)
		if n := min(len(text), 100); !strings.Contains(got, text[:n]) {
			h.add(WrongValue, f.n, ruleProved, "the error is %.100q: want the text %.100q in it", got, text)
		}
		if told.Trace == "" {
			h.note("its errors have no trace")
		}
		if told.Type != nil && *told.Type == "" {
			h.add(BadJSON, f.n, ruleJSON, "an error has no type")
		}
	}
	return h.probe(ctx, 4)
}

// tryMisfits sends what cannot be decoded, and asks for bytes where there are none.
func (e *exam) tryMisfits(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	for what, s := range map[string]*sent{
		"no JSON":               h.send("respawn.probe", json.RawMessage("{"))[0],
		"JSON that is NaN":      h.send("respawn.fail", json.RawMessage("{{"))[0],
		"text that is no UTF-8": h.send("respawn.fail", json.RawMessage("\"\xff\xfe\""))[0],
		"JSON for bytes":        h.send("respawn.probe", frame{flags: flagWantBytes, payload: []byte("1")})[0],
		"bytes for JSON":        h.send("respawn.bytes", frame{flags: flagBytes, payload: []byte{1}})[0],
	} {
		f, err := h.want(ctx, s, kindEncode)
		if err != nil {
			return err
		}
		var told failure
		_ = json.Unmarshal(f.payload, &told)
		want := "decode argument"
		if strings.Contains(what, " for ") {
			want = "encode result"
		}
		if h.failure(f); told.What != want {
			h.add(BadJSON, f.n, ruleJSON, "%s is answered with what %q: want %q", what, told.What, want)
		}
	}
	return h.probe(ctx, 5)
}

func (e *exam) tryUnknown(ctx context.Context) error {
	h, err := e.worker(ctx)
	if err != nil {
		return err
	}
	f, err := h.want(ctx, h.send("there is no such task", 1)[0], kindUnknown)
	if err != nil {
		return err
	}
	h.failure(f)
	return h.probe(ctx, 6)
}
