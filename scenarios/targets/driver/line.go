package driver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// MaxLine is how long a line may be, in bytes with its line feed, in either direction.
const MaxLine = 1 << 20

// request is a line to the driver.
type request struct {
	Op       string  `json:"op"`
	Protocol int     `json:"protocol,omitempty"`
	Size     int     `json:"size,omitempty"`
	Witness  string  `json:"witness,omitempty"`
	ID       *uint64 `json:"id,omitempty"`
	Task     string  `json:"task,omitempty"`
	Arg      any     `json:"arg,omitempty"`
	Slot     *int    `json:"slot,omitempty"`
	Fault    string  `json:"fault,omitempty"`
	PID      int     `json:"pid,omitempty"`
}

// reply is a line from the driver. Fields that it does not know are passed over.
type reply struct {
	Op       string          `json:"op"`
	Protocol int             `json:"protocol"`
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	Can      []string        `json:"can"`
	PIDs     []int           `json:"pids"`
	Members  []Member        `json:"members"`
	ID       *uint64         `json:"id"`
	Value    json.RawMessage `json:"value"`
	PID      int             `json:"pid"`
	Error    *string         `json:"error"`
	Install  string          `json:"install"`

	line int        // its number
	bad  *Violation // what is wrong with it; its other fields may be there
}

// wanted says how each op looks when it is right.
var wanted = map[string]string{
	"hello":   `{"op":"hello","protocol":1,"name":"…","version":"…","can":["workers","pid"]}`,
	"ready":   `{"op":"ready","pids":[…]}`,
	"workers": `{"op":"workers","pids":[…]}`,
	"members": `{"op":"members","members":[{"pid":4711,"role":"node","slot":0,"name":"…"}]}`,
	"result":  `{"op":"result","id":17,"value":289,"pid":4711}`,
	"error":   `{"op":"error","id":17,"error":"…"}`,
	"stopped": `{"op":"stopped"}`,
}

// parse reads one line and checks what can be checked without knowing what was asked.
func parse(line []byte, number int) *reply {
	r := &reply{line: number}
	bad := func(kind Kind, format string, args ...any) *reply {
		r.bad = &Violation{Kind: kind, Line: number, Op: r.Op, Text: fmt.Sprintf(format, args...)}
		return r
	}
	fields := map[string]json.RawMessage{}
	if err := decode(line, &fields); err != nil {
		return bad(Rubbish,
			"%s is no JSON object: print to standard error, and protocol lines to the copy of descriptor 1",
			quote(line))
	}
	if err := json.Unmarshal(line, r); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return bad(BadField, "%q is a %s: want %s", wrong.Field, wrong.Value, wanted[r.Op])
		}
		return bad(Rubbish, "%s: %v", quote(line), err)
	}
	want, known := wanted[r.Op]
	if !known {
		return bad(UnknownOp, "%s: want hello, ready, result, error, workers, members or stopped", strconv.Quote(r.Op))
	}
	need := map[string][]string{
		"hello": {"protocol", "name", "version", "can"}, "ready": {"pids"}, "workers": {"pids"},
		"result": {"id", "value"}, "error": {"error"}, "members": {"members"},
	}
	for _, field := range need[r.Op] {
		if raw, ok := fields[field]; !ok || string(raw) == "null" {
			return bad(BadField, "%q is missing in %s: want %s", field, quote(line), want)
		}
	}
	return r
}

// decode is json.Unmarshal for an object and nothing else.
func decode(line []byte, into *map[string]json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(line))
	if err := d.Decode(into); err != nil {
		return err
	}
	if *into == nil {
		return errors.New("null")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

// quote shows the beginning of a line that may hold anything.
func quote(line []byte) string {
	const shown = 160
	line = bytes.TrimRight(line, "\r\n")
	if len(line) > shown {
		return strconv.QuoteToASCII(string(line[:shown])) + "…"
	}
	return strconv.QuoteToASCII(string(line))
}
