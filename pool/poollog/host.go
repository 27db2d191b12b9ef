package poollog

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"strconv"
	"time"
)

// maxDepth is how deep groups of attributes are taken apart; what is deeper stays JSON.
const maxDepth = 8

// lines makes records of what workers print.
type lines struct{ to slog.Handler }

// take is called with each line. In front of a record on it may be what somebody printed without an end.
func (l lines) take(worker string, line []byte) {
	text, more, found := bytes.Cut(line, []byte{separator})
	l.text(worker, text)
	for found {
		var one []byte
		one, more, found = bytes.Cut(more, []byte{separator})
		if r, ok := parse(worker, one); ok {
			l.pass(r)
		} else {
			l.text(worker, one)
		}
	}
}

// text passes on what is no record.
func (l lines) text(worker string, text []byte) {
	if text = bytes.TrimRight(text, "\r"); len(text) == 0 {
		return
	}
	r := slog.NewRecord(time.Now(), slog.LevelInfo, string(bytes.ToValidUTF8(text, []byte("\ufffd"))), 0)
	r.AddAttrs(slog.String("worker", worker))
	l.pass(r)
}

func (l lines) pass(r slog.Record) {
	ctx := context.Background()
	if l.to.Enabled(ctx, r.Level) {
		_ = l.to.Handle(ctx, r) // as slog.Logger does
	}
}

// parse reads a record. The first time, level and msg are its own; a level that is none is Info.
func parse(worker string, data []byte) (slog.Record, bool) {
	attrs, ok := object(data, 0)
	if !ok {
		return slog.Record{}, false
	}
	var r slog.Record
	own := map[string]func(text string){
		slog.TimeKey:    func(text string) { r.Time, _ = time.Parse(time.RFC3339Nano, text) },
		slog.LevelKey:   func(text string) { _ = r.Level.UnmarshalText([]byte(text)) },
		slog.MessageKey: func(text string) { r.Message = text },
	}
	r.AddAttrs(slog.String("worker", worker))
	for _, a := range attrs {
		if set := own[a.Key]; set != nil && a.Value.Kind() == slog.KindString {
			set(a.Value.String())
			delete(own, a.Key)
			continue
		}
		r.AddAttrs(a)
	}
	return r, true
}

// object takes an object apart, in its order.
func object(data []byte, depth int) (attrs []slog.Attr, ok bool) {
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		var v json.RawMessage
		if d.Decode(&v) != nil {
			return nil, false
		}
		attrs = append(attrs, slog.Attr{Key: key.(string), Value: value(v, depth)})
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	_, err := d.Token()
	return attrs, err == io.EOF //nolint:errorlint // as the decoder gives it
}

// value is what JSON stands for, as slog has it.
func value(raw json.RawMessage, depth int) slog.Value {
	switch text := string(raw); raw[0] {
	case '{':
		if depth < maxDepth {
			if attrs, ok := object(raw, depth+1); ok {
				return slog.GroupValue(attrs...)
			}
		}
	case '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return slog.StringValue(s)
		}
	case 't', 'f':
		return slog.BoolValue(text == "true")
	case 'n':
		return slog.AnyValue(nil)
	case '[':
	default:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return slog.Int64Value(n)
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return slog.Uint64Value(n)
		}
		if x, err := strconv.ParseFloat(text, 64); err == nil {
			return slog.Float64Value(x)
		}
	}
	return slog.AnyValue(rest(raw))
}

// rest is JSON that is not taken apart: text for handlers that write text, JSON for those that write that.
type rest []byte

func (r rest) String() string               { return string(r) }
func (r rest) MarshalJSON() ([]byte, error) { return r, nil }
