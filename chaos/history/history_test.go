package history_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"pgregory.net/rapid"

	"github.com/respawn-go/respawn/chaos/history"
)

// tick is a clock that goes on by a millisecond each time it is asked.
func tick() func() time.Duration {
	var t time.Duration
	return func() time.Duration { t += time.Millisecond; return t }
}

func submitted(id uint64) history.Event {
	return history.Event{Task: &history.Task{ID: id, Op: history.Submitted}}
}

// write is the text of a closed history with these events.
func write(t testing.TB, events ...history.Event) string {
	t.Helper()
	var b bytes.Buffer
	w, err := history.NewWriter(&b, history.Header{Scenario: "s", Seed: 7}, history.Options{Now: tick()})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if err := w.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// read is what a reader yields of the text.
func read(text string) (events []history.Event, truncated bool, err error) {
	r, err := history.NewReader(strings.NewReader(text))
	if err != nil {
		return nil, false, err
	}
	for e, err := range r.Events() {
		if err != nil {
			return events, r.Truncated(), err
		}
		events = append(events, e)
	}
	return events, r.Truncated(), nil
}

// one of each kind of record, with every field set that has a value of its own kind.
func everyKind() []history.Event {
	return []history.Event{
		{Stage: &history.Stage{Name: history.Boot}},
		{Member: &history.MemberEvent{
			Op: history.Exited, Slot: 1, Gen: 2, PID: 3, Name: "Worker-1", Reason: "stall",
			Exit: &history.Exit{Code: -1, Signal: "SIGKILL", Stderr: "<b>\x00\u2028\n"},
		}},
		{Fault: &history.Fault{
			N: 1, Op: history.Concluded, Victim: &history.Victim{PID: 3}, Outcome: history.Confirmed,
			Receipt: &history.Receipt{
				Tier: "wait status", Evidence: map[string]string{"signal": "SIGKILL"}, PIDs: []int{3},
			},
		}},
		{Task: &history.Task{ID: 1, Op: history.Settled, Outcome: history.OK, Latency: 5, Attempts: 1, PID: 3}},
		{Task: &history.Task{ID: 2, Op: history.Settled, Outcome: history.Failed, Err: "it \"broke\" <here> ü"}},
		{Run: &history.Run{Task: 1, Attempt: 1, PID: 3, Start: 4, End: 5}},
		{Probe: &history.Probe{Slot: 1, Op: history.Answered, PID: 4}},
		{Sample: &history.Sample{Want: 4, Ready: 4, Alive: 4, HostOOM: 1}},
		{Host: &history.Host{
			Over: 7, CPUs: 2, Late: []time.Duration{1, 2}, Own: 3, Pressure: -1,
			Limit: &history.CPULimit{CPUs: 0.1, Periods: 5, Throttled: 4}, Floors: map[string]float64{"spawn": 0.004},
		}},
		{Alarm: &history.Alarm{Kind: history.AlarmAbort, Rule: "pool.ready < 1"}},
		{Note: &history.Note{Text: "n", Dropped: 1}},
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	g := NewWithT(t)
	want := everyKind()
	events, truncated, err := read(write(t, want...))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(truncated).To(BeFalse())
	for i := range want {
		want[i].T = time.Duration(i+1) * time.Millisecond
	}
	g.Expect(events[:len(want)]).To(Equal(want))
	g.Expect(events[len(want)].End.Events).To(Equal(len(want)))
	g.Expect(events).To(HaveLen(len(want) + 1))
}

func TestHandWrittenLinesAreThoseOfEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Int64Range(-1<<60, 1<<60)
		small := rapid.IntRange(-3, 1<<40)
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,9}`))
		e := history.Event{Run: &history.Run{
			Task: rapid.Uint64().Draw(t, "task"), Attempt: small.Draw(t, "attempt"), PID: small.Draw(t, "pid"),
			Start: time.Duration(number.Draw(t, "start")), End: time.Duration(number.Draw(t, "end")),
		}}
		if rapid.Bool().Draw(t, "task") {
			e = history.Event{Task: &history.Task{
				ID: rapid.Uint64().Draw(t, "id"), Op: history.TaskOp(text.Draw(t, "op")),
				Outcome: history.Outcome(text.Draw(t, "outcome")), Latency: time.Duration(number.Draw(t, "latency")),
				Attempts: small.Draw(t, "attempts"), PID: small.Draw(t, "pid"), Err: text.Draw(t, "err"),
			}}
		}
		var b bytes.Buffer
		w, _ := history.NewWriter(&b, history.Header{}, history.Options{Now: tick()})
		_ = w.Append(e)
		_ = w.Close(false)
		line := strings.Split(b.String(), "\n")[1]
		e.T = time.Millisecond
		want, _ := json.Marshal(e)
		if line != string(want) {
			t.Fatalf("wrote %s, encoding/json %s", line, want)
		}
		var back history.Event
		if err := json.Unmarshal([]byte(line), &back); err != nil {
			t.Fatal(err)
		}
		have, _, err := read(b.String())
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(have[0])
		if c, _ := json.Marshal(back); !bytes.Equal(a, c) {
			t.Fatalf("read %s, encoding/json %s", a, c)
		}
	})
}

func TestBrokenHistoriesAreNamedForWhatTheyAre(t *testing.T) {
	whole := write(t, submitted(1), submitted(2), submitted(3))
	lines := strings.SplitAfter(whole, "\n")
	for name, c := range map[string]struct {
		text string
		kind error
		want string
	}{
		"empty": {"", history.ErrCutShort, "line 1: the history is cut short: it is empty"},
		"not a header": {
			"hello\n", history.ErrInvalid,
			"line 1: this line is not of a history: not a header: invalid character 'h' looking for beginning of value",
		},
		"other version": {
			strings.Replace(whole, `"schema_version":2`, `"schema_version":3`, 1), history.ErrVersion,
			"line 1: the history has another schema: schema_version is 3, this program reads 1 to 2",
		},
		"cut header": {
			whole[:40], history.ErrCutShort,
			"line 1: the history is cut short: the last line ends after 40 bytes without a newline",
		},
		"cut line": {
			strings.Join(lines[:2], "") + lines[2][:9], history.ErrCutShort,
			"line 3: the history is cut short: the last line ends after 9 bytes without a newline",
		},
		"cut end": {whole[:len(whole)-1], history.ErrCutShort, fmt.Sprintf(
			"line 5: the history is cut short: the last line ends after %d bytes without a newline", len(lines[4])-1)},
		"half a line": {
			lines[0] + lines[1][:9] + "\n" + lines[2], history.ErrInvalid,
			"line 2: this line is not of a history: unexpected EOF",
		},
		"number as text": {strings.Replace(whole, `"id":2`, `"id":"2"`, 1), history.ErrInvalid, "line 3: this " +
			"line is not of a history: json: cannot unmarshal string into Go struct field Task.task.id of type uint64"},
		"unknown field": {
			strings.Replace(whole, `"id":2`, `"id":2,"x":1`, 1), history.ErrInvalid,
			`line 3: this line is not of a history: json: unknown field "x"`,
		},
		"no record": {
			lines[0] + "{\"t\":1}\n", history.ErrInvalid,
			"line 2: this line is not of a history: an event has exactly one record, this one has 0",
		},
		"two records": {
			lines[0] + `{"t":1,"stage":{"name":"boot"},"note":{"text":"n"}}` + "\n",
			history.ErrInvalid,
			"line 2: this line is not of a history: an event has exactly one record, this one has 2",
		},
		"two values": {
			lines[0] + `{"t":1,"stage":{"name":"boot"}} {}` + "\n", history.ErrInvalid,
			"line 2: this line is not of a history: there is something after the object",
		},
		"blank line": {
			lines[0] + "\n" + lines[1], history.ErrInvalid,
			"line 2: this line is not of a history: EOF",
		},
		"line removed": {
			lines[0] + lines[1] + lines[3] + lines[4], history.ErrEdited,
			"line 4: the history was edited: its end says 3 events, 2 are here",
		},
		"value changed": {
			strings.Replace(whole, `"id":2`, `"id":4`, 1), history.ErrEdited,
			"line 5: the history was edited: its end says checksum",
		},
		"end moved": {
			regexp.MustCompile(`"t":\d+,"end"`).ReplaceAllString(whole, `"t":77000000,"end"`),
			history.ErrEdited, "line 5: the history was edited: its end says checksum",
		},
		"checksum removed": {
			regexp.MustCompile(`,"sum":"[0-9a-f]+"`).ReplaceAllString(whole, ""), history.ErrEdited,
			"line 5: the history was edited: its end says checksum",
		},
		"header changed": {
			strings.Replace(whole, `"seed":7`, `"seed":8`, 1), history.ErrEdited,
			"line 5: the history was edited: its end says checksum",
		},
		"lines swapped": {
			lines[0] + lines[2] + lines[1] + lines[3] + lines[4], history.ErrEdited,
			"line 3: the history was edited: t goes back from 2ms to 1ms",
		},
		"line after end": {
			whole + lines[1], history.ErrEdited,
			"line 6: the history was edited: there is a line after the end",
		},
		"an endless line": {
			lines[0] + strings.Repeat("x", history.MaxLine+1), history.ErrInvalid,
			"line 2: this line is not of a history: more than 4194304 bytes",
		},
		"an endless header": {
			strings.Repeat("x", history.MaxLine+1), history.ErrInvalid,
			"line 1: this line is not of a history: more than 4194304 bytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			_, _, err := read(c.text)
			g.Expect(err).To(MatchError(c.kind))
			g.Expect(err.Error()).To(HavePrefix(c.want))
			var at *history.LineError
			g.Expect(errors.As(err, &at)).To(BeTrue())
		})
	}
}

func TestHistoryWithoutEndIsTruncated(t *testing.T) {
	g := NewWithT(t)
	lines := strings.SplitAfter(write(t, submitted(1)), "\n")
	events, truncated, err := read(lines[0] + lines[1])
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(events).To(HaveLen(1))
	g.Expect(truncated).To(BeTrue())
}

func TestAnEventHasExactlyOneRecord(t *testing.T) {
	g := NewWithT(t)
	w, err := history.NewWriter(io.Discard, history.Header{}, history.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(w.Append(history.Event{})).To(MatchError("history: an event has exactly one record, this one has 0"))
	g.Expect(w.Append(submitted(1))).To(Succeed(), "a mistake of the caller spoils nothing")
}

func TestTooLongAnEventBecomesANoteOfALoss(t *testing.T) {
	g := NewWithT(t)
	events, _, err := read(write(t, history.Event{Note: &history.Note{Text: strings.Repeat("x", history.MaxLine)}},
		submitted(1)))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(events[0].Note.Dropped).To(BeEquivalentTo(1))
	g.Expect(events[1].Task).NotTo(BeNil())
	_, err = history.NewWriter(io.Discard, history.Header{Source: strings.Repeat("x", history.MaxLine)},
		history.Options{})
	g.Expect(err).To(MatchError(ContainSubstring("at most 4194304 can be read again")))
}

func TestTimeNeverGoesBack(t *testing.T) {
	g := NewWithT(t)
	var b bytes.Buffer
	clock := []time.Duration{5, 3, 9, 9}
	w, err := history.NewWriter(&b, history.Header{},
		history.Options{Now: func() time.Duration { t := clock[0]; clock = clock[1:]; return t }})
	g.Expect(err).NotTo(HaveOccurred())
	for id := range uint64(3) {
		g.Expect(w.Append(submitted(id))).To(Succeed())
	}
	g.Expect(w.Close(false)).To(Succeed())
	events, _, err := read(b.String())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]time.Duration{events[0].T, events[1].T, events[2].T}).To(Equal([]time.Duration{5, 5, 9}))
}

func TestCreateDoesNotOverwriteAndCloseIsLast(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "history.jsonl")
	w, err := history.Create(path, history.Header{Scenario: "s"}, history.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = history.Create(path, history.Header{}, history.Options{})
	g.Expect(err).To(MatchError(os.ErrExist))
	g.Expect(w.Close(true)).To(Succeed())
	g.Expect(w.Close(true)).To(Succeed())
	g.Expect(w.Append(submitted(1))).To(MatchError(history.ErrClosed))

	r, err := history.Open(path)
	g.Expect(err).NotTo(HaveOccurred())
	defer r.Close()
	g.Expect(r.Header.Scenario).To(Equal("s"))
	for e, err := range r.Events() {
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(e.End.Aborted).To(BeTrue())
	}
	g.Expect(r.Truncated()).To(BeFalse())
}

func TestEventsReachTheFileWithoutClose(t *testing.T) {
	g := NewWithT(t)
	path := filepath.Join(t.TempDir(), "history.jsonl")
	w, err := history.Create(path, history.Header{}, history.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	defer w.Close(true)
	for id := range uint64(3) { // each of them arms the timer anew
		g.Expect(w.Append(submitted(id))).To(Succeed())
		g.Eventually(func() string {
			b, _ := os.ReadFile(path)
			return string(b)
		}).WithTimeout(10 * time.Second).Should(ContainSubstring(fmt.Sprintf(`"id":%d`, id)))
	}
}

func TestManyWritersMakeWholeLinesAndTeeSeesThemInOrder(t *testing.T) {
	g := NewWithT(t)
	var b bytes.Buffer
	lines := []int{}
	w, err := history.NewWriter(&b, history.Header{},
		history.Options{Tee: func(line int, _ history.Event) { lines = append(lines, line) }})
	g.Expect(err).NotTo(HaveOccurred())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for id := range uint64(500) {
				_ = w.Append(submitted(id))
			}
		})
	}
	all.Wait()
	g.Expect(w.Events()).To(Equal(4000))
	g.Expect(w.Close(false)).To(Succeed())
	events, _, err := read(b.String())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(events).To(HaveLen(4001))
	g.Expect(lines).To(HaveLen(4001))
	g.Expect(lines[0]).To(Equal(2))
	g.Expect(lines[4000]).To(Equal(4002))
}

type broken struct{ after int }

func (b *broken) Write(p []byte) (int, error) {
	if b.after--; b.after < 0 {
		return 0, io.ErrShortWrite
	}
	return len(p), nil
}

func TestWriteErrorsAreKept(t *testing.T) {
	g := NewWithT(t)
	w, err := history.NewWriter(&broken{1}, history.Header{}, history.Options{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(w.Append(submitted(1))).To(Succeed())
	w.Flush()
	g.Expect(w.Append(submitted(2))).To(MatchError(io.ErrShortWrite))
	g.Expect(w.Close(false)).To(MatchError(io.ErrShortWrite))
}

func FuzzReader(f *testing.F) {
	for _, e := range everyKind() { // one each: small inputs are tried often
		whole := write(f, e)
		f.Add(whole)
		f.Add(whole[:len(whole)/2])
		f.Add(strings.ReplaceAll(whole, "1", "-0"))
	}
	f.Add("{\"schema_version\":1}\n{\"t\":1,\"task\":{\"id\":18446744073709551615,\"op\":\"\"}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		events, truncated, err := read(text)
		if err != nil {
			var at *history.LineError
			if !errors.As(err, &at) || at.Line < 1 || at.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("%v is not a LineError with a line of the text", err)
			}
			return
		}
		if !truncated && events[len(events)-1].End == nil {
			t.Fatal("whole without an end")
		}
		for i, e := range events {
			var want history.Event
			if err := json.Unmarshal([]byte(strings.SplitN(text, "\n", i+3)[i+1]), &want); err != nil {
				t.Fatalf("line %d was read, but encoding/json says %v", i+2, err)
			}
			a, _ := json.Marshal(e)
			if b, _ := json.Marshal(want); !bytes.Equal(a, b) {
				t.Fatalf("read %s, encoding/json %s", a, b)
			}
		}
	})
}

func BenchmarkMillionEvents(b *testing.B) {
	for b.Loop() {
		var text bytes.Buffer
		w, _ := history.NewWriter(&text, history.Header{}, history.Options{})
		for id := range uint64(333_333) {
			_ = w.Append(submitted(id))
			_ = w.Append(history.Event{Task: &history.Task{
				ID: id, Op: history.Settled, Outcome: history.OK, Latency: 5e6, Attempts: 1, PID: 4711,
			}})
			_ = w.Append(history.Event{Run: &history.Run{Task: id, Attempt: 1, PID: 4711, Start: 1e9, End: 2e9}})
		}
		_ = w.Close(false)
		r, _ := history.NewReader(&text)
		for _, err := range r.Events() {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// Records of a stepdown that were written before they said so as a field have it when they are read.
func TestAStepdownOfAnOlderRecordLeads(t *testing.T) {
	g := NewWithT(t)
	events, _, err := read(write(t,
		history.Event{Fault: &history.Fault{N: 1, Op: history.Injected, Fault: "stepdown queue"}},
		history.Event{Fault: &history.Fault{N: 2, Op: history.Injected, Fault: "resize 4"}},
	))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(events[0].Fault.Leads).To(BeTrue())
	g.Expect(events[1].Fault.Leads).To(BeFalse())
}
