package codec

import (
	"unsafe"

	"github.com/respawn-go/respawn/internal/wire"
)

// Lend sets what v points to to the byte slice in data without a copy; false if it is not of that type.
func Lend(data []byte, v any) bool {
	p := BytesOf(v)
	if p == nil {
		return false
	}
	body, ok := parseBody(data, BytesMajor)
	if ok {
		*p = body[:len(body):len(body)]
	}
	return ok
}

// BytesOf is the byte slice that v points to; nil if it is something else.
func BytesOf(v any) *[]byte {
	switch v := v.(type) {
	case *[]byte:
		return v
	case *Lent:
		return (*[]byte)(v)
	}
	return nil
}

// Lent is bytes that a handler may read until it returns, and must neither change nor keep. As the argument of a task
// it is the memory that the task came in, where a []byte is a copy that is the handler's own: for large payloads the
// difference is a copy and the garbage that it leaves. Changing a large one is a segmentation fault, which ends the
// worker; one that is kept shows other tasks' bytes later. A large result that is a part of it, or all of it, is not
// copied in the worker either: the caller's copy is made from the memory that it came in. Nothing else changes: callers
// pass a []byte, it travels as one, and a result is its receiver's, one of this type too. Only [CBOR] lends.
type Lent []byte

// BodyOf is the byte slice that data encodes, in place; false if it encodes something else. The head is read once,
// since others may write to data.
func BodyOf(data []byte) (body []byte, ok bool) {
	var head [9]byte
	major, n, used := parseHead(head[:copy(head[:], data)])
	if used == 0 || major != BytesMajor || n != uint64(len(data)-used) {
		return nil, false
	}
	return data[used:len(data):len(data)], true
}

// DecodeArgument reads a handler's argument as the codec does. What is lent points into data.
func DecodeArgument[T any](codec Codec, data []byte) (T, error) {
	if codec == CBOR {
		var v T
		if p, ok := any(&v).(*Lent); ok && Lend(data, p) {
			return v, nil
		}
	}
	return Decode[T](codec, data)
}

// PartOf is the large byte slice that v points to, if it lies in a large argument; else nil.
func PartOf(codec Codec, arg []byte, v any) []byte {
	if len(arg) < wire.InlinePayload || codec != CBOR {
		return nil
	}
	b := BytesOf(v)
	if b == nil || len(*b) < wire.InlinePayload {
		return nil
	}
	if _, ok := OffsetIn(arg, *b); !ok {
		return nil
	}
	return *b
}

// OffsetIn is where in the memory of whole part begins, if all of it lies there. Both are not empty.
func OffsetIn(whole, part []byte) (offset uint64, ok bool) {
	from, at := uintptr(unsafe.Pointer(unsafe.SliceData(whole))), uintptr(unsafe.Pointer(unsafe.SliceData(part)))
	if at < from || at-from > uintptr(len(whole)) || uintptr(len(part)) > uintptr(len(whole))-(at-from) {
		return 0, false
	}
	return uint64(at - from), true
}
