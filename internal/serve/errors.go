package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/respawn-go/respawn/internal/wire"
)

// known are the errors that cross the border by name, in both directions.
var known = knownErrors{byName: make(map[string]*knownError)}

type knownErrors struct {
	mu     sync.Mutex
	byName map[string]*knownError
	list   []*knownError
}

// knownError is one of them: match encodes an error that is it, and restore makes it again. Either says false where
// that cannot be.
type knownError struct {
	name    string
	match   func(error) ([]byte, bool)
	restore func([]byte) (error, bool)
}

var _ = KnowSentinels(map[string]error{
	"context.Canceled": context.Canceled, "context.DeadlineExceeded": context.DeadlineExceeded,
	"io.EOF": io.EOF, "io.ErrUnexpectedEOF": io.ErrUnexpectedEOF,
	"fs.ErrNotExist": fs.ErrNotExist, "fs.ErrExist": fs.ErrExist, "fs.ErrPermission": fs.ErrPermission,
})

// KnowSentinels registers errors that are found where a tree of errors ends in them, or in what is one by its own word.
// It returns something so that it can stand in a package-level variable.
func KnowSentinels(errs map[string]error) struct{} {
	for name, err := range errs {
		Know(name,
			func(e error) ([]byte, bool) { return nil, errors.Is(e, err) && !wraps(e) },
			func([]byte) (error, bool) { return err, true })
	}
	return struct{}{}
}

// Know registers an error under a name, and panics if that is taken.
func Know(name string, match func(error) ([]byte, bool), restore func([]byte) (error, bool)) {
	known.mu.Lock()
	defer known.mu.Unlock()
	if known.byName[name] != nil {
		panic(fmt.Sprintf("pool: error %q registered twice", name))
	}
	k := &knownError{name, match, restore}
	known.byName[name] = k
	known.list = append(known.list, k)
}

// Restore makes an error again that Pack has found by its name; false if this program does not know it.
func Restore(k wire.KnownError) (error, bool) {
	known.mu.Lock()
	found := known.byName[k.Name]
	known.mu.Unlock()
	if found == nil {
		return nil, false
	}
	return found.restore(k.Data)
}

// wraps tells whether err has children of its own, whose sentinels are then found there.
func wraps(err error) bool {
	switch err.(type) {
	case interface{ Unwrap() error }, interface{ Unwrap() []error }:
		return true
	}
	return false
}

// Pack describes err for the wire.
func Pack(err error) wire.Error {
	w := wire.Error{Message: err.Error(), Type: fmt.Sprintf("%T", err)}
	known.mu.Lock()
	kinds := known.list
	known.mu.Unlock()
	var walk func(error)
	walk = func(e error) {
		for _, k := range kinds {
			if data, ok := k.match(e); ok && len(w.Known) < wire.MaxKnownErrors {
				w.Known = append(w.Known, wire.KnownError{Name: k.name, Data: data})
			}
		}
		switch e := e.(type) {
		case interface{ Unwrap() error }:
			if inner := e.Unwrap(); inner != nil {
				walk(inner)
			}
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner)
			}
		}
	}
	walk(err)
	return w
}
