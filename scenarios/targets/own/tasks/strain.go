package tasks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/wait"
)

// chunk is how much memory is taken at once: small enough for a limit to be met closely.
const chunk = 4 << 20

// strainAlloc touches so many bytes and holds them; 0 goes on until it ends the worker.
func strainAlloc(ctx context.Context, s Strain) (Strained, error) {
	var held [][]byte
	taken := int64(0)
	for s.Bytes == 0 || taken < s.Bytes {
		n := int64(chunk)
		if s.Bytes > 0 {
			n = min(n, s.Bytes-taken)
		}
		held = append(held, touch(n))
		taken += n
		if ctx.Err() != nil {
			return Strained{}, ctx.Err()
		}
	}
	err := wait.For(ctx, s.Hold)
	answer := Strained{Text: fmt.Sprintf("held %d bytes in %d pieces", taken, len(held))}
	for _, b := range held {
		_ = unix.Madvise(b, unix.MADV_DONTNEED)
	}
	return answer, err
}

// strainFDs opens files until there are no more descriptors, or so many are open.
func strainFDs(_ context.Context, s Strain) (Strained, error) {
	var open []*os.File
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	for range s.Count {
		f, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			return Strained{Text: fmt.Sprintf("EMFILE after %d", len(open)), Refused: "EMFILE"}, nil
		}
		if err != nil {
			return Strained{}, err
		}
		open = append(open, f)
	}
	return Strained{Text: fmt.Sprintf("opened %d files", len(open))}, nil
}

// strainPIDs starts children until it is refused one, or so many run.
func strainPIDs(_ context.Context, s Strain) (Strained, error) {
	var children []*os.Process
	defer func() {
		for _, p := range children {
			_ = p.Kill()
			_, _ = p.Wait()
		}
	}()
	for range s.Count {
		p, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{})
		if errors.Is(err, syscall.EAGAIN) {
			return Strained{Text: fmt.Sprintf("EAGAIN after %d", len(children)), Refused: "EAGAIN"}, nil
		}
		if err != nil {
			return Strained{}, err
		}
		children = append(children, p)
	}
	return Strained{Text: fmt.Sprintf("started %d children", len(children))}, nil
}
