package reports

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/respawn-go/respawn/chaos/check"
	"github.com/respawn-go/respawn/chaos/history"
)

// Follower makes reports of a run that goes on, from the history that it is writing. Each event is read and counted
// once, whatever the number of reports. It is for one goroutine.
type Follower struct {
	in   *history.Reader
	file *os.File
	live *check.Live
}

// running stands on the page where there is no verdict yet.
const running Verdict = "RUNNING"

// Follow begins with a history file that has its header.
func Follow(path string) (*Follower, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("follow the run: %w", err)
	}
	in, err := history.NewReader(&wholeLines{from: file})
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("follow the run: %s: %w", path, err)
	}
	return &Follower{in, file, check.NewLive(in.Header)}, nil
}

// Close closes the file.
func (f *Follower) Close() { _ = f.file.Close() }

// Report is what the run shows by now. It has no verdict: its page says that the run goes on. It tells what happened
// until more is asked for.
func (f *Follower) Report() (*Report, error) {
	for {
		e, err := f.in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		f.live.Add(f.in.Line(), e)
	}
	r := Of(f.live.Ledger(), f.live.ByNow())
	r.Verdict, r.Cause = running, r.soFar()
	return r, nil
}

// soFar is what is known of a run that goes on, in a sentence.
func (r *Report) soFar() string {
	l := r.Ledger
	if len(r.Findings) > 0 {
		return "By now: " + r.Findings[0].Text
	}
	parts := []string{plural(l.Injections.Outcomes[history.Confirmed], "fault") + " confirmed"}
	if n := len(l.Slots.Recover.Samples); n > 0 {
		parts = append(parts, plural(n, "slot")+" back")
	}
	if n := l.Tasks.Outcomes[history.OK]; n > 0 {
		parts = append(parts, plural(n, "task")+" gave their values")
	}
	return "By now: " + strings.Join(parts, ", ") + ", and no promise was broken"
}

// wholeLines gives of a file that grows the lines that have their ends.
type wholeLines struct {
	from      *os.File
	at, whole int64 // what was given, and up to where lines are whole
}

func (w *wholeLines) Read(p []byte) (int, error) {
	if w.at == w.whole {
		for end := w.at; ; { // a line may be longer than p
			n, err := w.from.ReadAt(p, end)
			if i := bytes.LastIndexByte(p[:n], '\n') + 1; i > 0 {
				w.whole = end + int64(i)
				break
			}
			if end += int64(n); err != nil {
				return 0, err
			}
		}
	}
	n, err := w.from.ReadAt(p[:min(int64(len(p)), w.whole-w.at)], w.at)
	w.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}
