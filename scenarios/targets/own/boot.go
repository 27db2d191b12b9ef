package own

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/respawn-go/respawn/pool"
)

// errToldToFail is the boot failure that chaos asks for.
var errToldToFail = errors.New("told to fail by the harness")

// bootInit makes a booting worker look into the control directory:
//
//	fail-N    one boot takes the file away and fails
//	delay     every boot takes so long, in ns
//	slowed    one byte for each boot that was delayed
//
// Taking a file away is what makes the count exact when several boot at once.
var bootInit = pool.RegisterInit("respawn.boot", func(_ context.Context, dir string) error {
	if data, err := os.ReadFile(filepath.Join(dir, "delay")); err == nil {
		ns, _ := strconv.ParseInt(string(data), 10, 64)
		if err := appendByte(filepath.Join(dir, "slowed")); err != nil {
			return err
		}
		time.Sleep(time.Duration(ns))
	}
	tokens, err := filepath.Glob(filepath.Join(dir, "fail-*"))
	if err != nil {
		return err
	}
	for _, token := range tokens {
		if os.Remove(token) == nil {
			return errToldToFail
		}
	}
	return nil
})

func appendByte(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(".")
	return errors.Join(err, f.Close())
}

// bootControl is the parent's side of bootInit.
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
		errs = append(errs, os.WriteFile(next, []byte(strconv.FormatInt(int64(delay), 10)), 0o644), os.Rename(next, file))
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
