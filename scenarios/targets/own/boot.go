package own

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// bootControl is the parent's side of tasks.Boot.
type bootControl struct {
	dir    string
	mu     sync.Mutex
	issued int // fail tokens so far
	healed int // of them, taken back
}

func newBootControl(dir string) (*bootControl, error) {
	return &bootControl{dir: dir}, os.MkdirAll(dir, 0o755)
}

// SetBoot implements chaos.Booter.
func (b *bootControl) SetBoot(fail int, delay time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, token := range b.tokens() {
		if os.Remove(token) == nil {
			b.healed++
		}
	}
	var errs []error
	for range fail {
		b.issued++
		errs = append(errs, os.WriteFile(filepath.Join(b.dir, fmt.Sprintf("fail-%d", b.issued)), nil, 0o644))
	}
	file := filepath.Join(b.dir, "delay")
	if delay > 0 {
		next := file + ".next" // renamed, so that no worker reads half of it
		errs = append(errs, os.WriteFile(next, []byte(strconv.FormatInt(int64(delay), 10)), 0o644),
			os.Rename(next, file))
	} else if err := os.Remove(file); !errors.Is(err, os.ErrNotExist) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (b *bootControl) tokens() []string {
	list, _ := filepath.Glob(filepath.Join(b.dir, "fail-*"))
	return list
}

// Boots implements chaos.Booter.
func (b *bootControl) Boots() (failed, slowed int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, _ := os.ReadFile(filepath.Join(b.dir, "slowed"))
	return b.issued - b.healed - len(b.tokens()), strings.Count(string(data), ".")
}
