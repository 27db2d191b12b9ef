package pool

import "github.com/respawn-go/respawn/internal/codec"

// Codec turns arguments and results into bytes and back. Both sides of a pool are the same program, so a codec needs to
// understand only its own output. It must be safe for concurrent use.
type Codec interface {
	// Append encodes the value that v points to and appends it to dst.
	Append(dst []byte, v any) ([]byte, error)
	// Decode decodes data into the value that v points to. It must not keep data, nor anything that points into it.
	Decode(data []byte, v any) error
}

// CBOR is the codec of [Register]: RFC 8949 by fxamacker/cbor. Field names follow `cbor` or else `json` struct tags;
// times keep nanoseconds and their offset; unexported fields are ignored. A string keeps its bytes, which need not be
// UTF-8. The type decoded into decides what arrives: an any holds a uint64, int64 if negative, float64, bool, string
// (times too), []byte, []any or map[any]any (structs too), whatever was put in; a value there of which something would
// be lost is an error.
var CBOR Codec = codec.CBOR

// JSON is the codec of [External]: encoding/json, but bytes are as they are, and text must be UTF-8. It decodes into a
// value that is zero, or an error.
var JSON Codec = codec.JSON

// Lent is bytes that a handler may read until it returns, and must neither change nor keep. As the argument of a task
// it is the memory that the task came in, where a []byte is a copy that is the handler's own: for large payloads the
// difference is a copy and the garbage that it leaves. Changing a large one is a segmentation fault, which ends the
// worker; one that is kept shows other tasks' bytes later. A large result that is a part of it, or all of it, is not
// copied in the worker either: the caller's copy is made from the memory that it came in. Nothing else changes: callers
// pass a []byte, it travels as one, and a result is its receiver's, one of this type too, unless the caller asks for a
// [Loan] by [Borrow]. Only [CBOR] lends.
type Lent = codec.Lent
