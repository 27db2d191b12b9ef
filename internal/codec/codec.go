// Package codec turns arguments and results into bytes and back, finds out before the first task what could not travel,
// and lends bytes where a copy can be spared. What a worker sends is not trusted: it is weighed before it is decoded.
package codec

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/respawn-go/respawn/internal/wire"
)

// Codec turns arguments and results into bytes and back. Both sides of a pool are the same program, so a codec needs to
// understand only its own output. It must be safe for concurrent use.
type Codec interface {
	// Append encodes the value that v points to and appends it to dst.
	Append(dst []byte, v any) ([]byte, error)
	// Decode decodes data into the value that v points to. It must not keep data, nor anything that points into it.
	Decode(data []byte, v any) error
}

// CBOR is the codec of tasks in Go: RFC 8949 by fxamacker/cbor. Field names follow `cbor` or else `json` struct tags;
// times keep nanoseconds and their offset; unexported fields are ignored. A string keeps its bytes, which need not be
// UTF-8. The type decoded into decides what arrives: an any holds a uint64, int64 if negative, float64, bool, string
// (times too), []byte, []any or map[any]any (structs too), whatever was put in; a value there of which something would
// be lost is an error.
var CBOR Codec = cborCodec{}

type cborCodec struct{}

var encMode = sync.OnceValue(func() cbor.EncMode {
	m, err := cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
})

var decMode = sync.OnceValue(func() cbor.DecMode {
	m, err := cbor.DecOptions{
		UTF8: cbor.UTF8DecodeInvalid, MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32, MaxNestedLevels: 256,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
})

// failureMode decodes what a worker says of a failure, by itself so small that these limits are far beyond it: a worker
// is not trusted, and a list of nothing takes one byte an element on the wire and forty in memory.
var failureMode = sync.OnceValue(func() cbor.DecMode {
	m, err := cbor.DecOptions{
		UTF8: cbor.UTF8DecodeInvalid, MaxArrayElements: wire.MaxKnownErrors, MaxMapPairs: 16, MaxNestedLevels: 8,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
})

// DecodeFailure decodes a failure, panic or boot failure from a worker.
func DecodeFailure(data []byte, v any) error {
	if len(data) > wire.MaxFrame {
		return fmt.Errorf("%w: a failure of %d bytes, at most %d", wire.ErrFrame, len(data), wire.MaxFrame)
	}
	return failureMode().Unmarshal(data, v)
}

func (cborCodec) Append(dst []byte, v any) ([]byte, error) {
	if out, ok := appendSimple(dst, v); ok {
		return out, nil
	}
	if err := checkDepth(v); err != nil {
		return dst, err
	}
	data, err := encMode().Marshal(v)
	if err != nil {
		return dst, err
	}
	return append(dst, data...), nil
}

func (cborCodec) Decode(data []byte, v any) error {
	if parseSimple(data, v) {
		return nil
	}
	if len(data) == 0 {
		return errors.New("empty message")
	}
	return decMode().Unmarshal(data, v)
}
