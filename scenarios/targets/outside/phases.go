package outside

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
)

// phases tells from the file of witnesses which processes are in the middle of a task: the pool is not asked. Safe for
// concurrent use.
type phases struct {
	path string // "" when the tasks are no witnesses

	mu      sync.Mutex
	offset  int64
	running map[int]int // by pid, executions that have begun and not ended
}

// of is "running" or "idle"; "" when it is not known.
func (p *phases) of(pid int) string {
	if p.path == "" {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running[pid] > 0 {
		return "running"
	}
	return "idle"
}

// refresh reads what has been appended. A line that is not whole yet is left for the next time.
func (p *phases) refresh() error {
	if p.path == "" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f, err := os.Open(p.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // nothing has run yet
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(p.offset, io.SeekStart); err != nil {
		return err
	}
	for lines := bufio.NewReader(f); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil
		}
		p.offset += int64(len(line))
		p.count(bytes.Fields(line))
	}
}

// count counts a line: see the package witness.
func (p *phases) count(fields [][]byte) {
	if len(fields) < 5 {
		return
	}
	pid, err := strconv.Atoi(string(fields[3]))
	if err != nil {
		return
	}
	if p.running == nil {
		p.running = map[int]int{}
	}
	switch string(fields[0]) {
	case "S":
		p.running[pid]++
	case "E":
		p.running[pid]--
	}
}
