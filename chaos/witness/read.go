package witness

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/respawn-go/respawn/chaos/history"
)

// ReadFile reads a record: every execution in the order of their starts, relative to base (history.Header.Clock), and
// how many lines were not whole. A file that is not there is an error: nobody witnessed anything.
func ReadFile(path string, base int64) (runs []history.Run, torn int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("witness: %w", err)
	}
	defer f.Close()
	return Read(f, base)
}

// Read is ReadFile on what was read already.
func Read(in io.Reader, base int64) (runs []history.Run, torn int, err error) {
	lines := bufio.NewReader(in)
	open := map[history.Run]int{} // where in runs an execution without an end is
	for {
		line, err := lines.ReadSlice('\n')
		whole := err == nil
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = lines.ReadSlice('\n')
		}
		if line = bytes.TrimSuffix(line, []byte("\n")); len(line) > 0 {
			run, kind := parse(line, base)
			at, begun := open[history.Run{Task: run.Task, Attempt: run.Attempt, PID: run.PID, Start: run.Start}]
			switch {
			case !whole || kind == 0:
				torn++
			case kind == 'E' && begun:
				runs[at].End = run.End
			default: // an end without its start is an execution all the same: the start was torn
				open[run] = len(runs)
				runs = append(runs, run)
			}
		}
		if err == io.EOF {
			slices.SortStableFunc(runs, func(a, b history.Run) int { return cmp.Compare(a.Start, b.Start) })
			return runs, torn, nil
		}
		if err != nil {
			return runs, torn, fmt.Errorf("witness: %w", err)
		}
	}
}

// parse reads one line; kind is 'S', 'E', or 0 for what is neither.
func parse(line []byte, base int64) (r history.Run, kind byte) {
	words := bytes.Split(line, []byte(" "))
	if len(words) < 5 || len(words[0]) != 1 {
		return r, 0
	}
	kind = words[0][0]
	if (kind != 'S' || len(words) != 5) && (kind != 'E' || len(words) != 6) {
		return r, 0
	}
	task, err := strconv.ParseUint(string(words[1]), 10, 64)
	if err != nil {
		return r, 0
	}
	n := [4]int64{}
	for i, w := range words[2:] {
		if n[i], err = strconv.ParseInt(string(w), 10, 64); err != nil {
			return r, 0
		}
	}
	r = history.Run{Task: task, Attempt: int(n[0]), PID: int(n[1]), Start: time.Duration(n[2] - base)}
	if kind == 'E' {
		r.End = time.Duration(n[3] - base)
	}
	return r, kind
}
