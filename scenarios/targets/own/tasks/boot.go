package tasks

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/respawn-go/respawn/pool"
)

// errToldToFail is the boot failure that chaos asks for.
var errToldToFail = errors.New("told to fail by the harness")

// Boot makes a booting worker look into the control directory:
//
//	fail-N    one boot takes the file away and fails
//	delay     every boot takes so long, in ns
//	slowed    one byte for each boot that was delayed
//
// Taking a file away is what makes the count exact when several boot at once.
var Boot = pool.RegisterInit("respawn.boot", func(_ context.Context, dir string) error {
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
