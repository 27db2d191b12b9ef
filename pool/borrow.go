package pool

import (
	"slices"
	"unsafe"
)

// Large byte slices and strings are copied as seldom as can be: once into the arena and once out of it on each side. The
// copies out are there because the memory is the other side's to change.

// borrow makes a large simple value the call's data without encoding it: its head goes to inline. A slice is used as it
// is when the caller waits for the outcome, else copied, since its owner may go on to change it; a string is never
// changed. It reports whether v was of that kind.
func (c *call) borrow(codec Codec, v any, waits bool) bool {
	if codec != CBOR {
		return false
	}
	major := byte(cborBytes)
	if b := bytesOf(v); b != nil {
		v = b
	}
	switch v := v.(type) {
	case *[]byte:
		if len(*v) < inlinePayload {
			return false
		}
		if c.data = *v; !waits {
			c.data = slices.Clone(*v)
		}
		c.borrowed = waits
	case *string:
		if len(*v) < inlinePayload {
			return false
		}
		major = cborText
		c.data = unsafe.Slice(unsafe.StringData(*v), len(*v))
	default:
		return false
	}
	c.head = uint8(len(appendHead(c.inline[:0], major, uint64(len(c.data)))))
	return true
}

// size is that of its encoded argument.
func (c *call) size() int { return int(c.head) + len(c.data) }

// lend sets what v points to to the byte slice in data without a copy; false if it is not of that type.
func lend(data []byte, v any) bool {
	p := bytesOf(v)
	if p == nil {
		return false
	}
	body, ok := parseBody(data, cborBytes)
	if ok {
		*p = body[:len(body):len(body)]
	}
	return ok
}

// bytesOf is the byte slice that v points to; nil if it is something else.
func bytesOf(v any) *[]byte {
	switch v := v.(type) {
	case *[]byte:
		return v
	case *Lent:
		return (*[]byte)(v)
	}
	return nil
}

// Lent is bytes that a handler may read until it returns, and must neither change nor keep. As the argument of a task it is
// the memory that the task came in, where a []byte is a copy that is the handler's own: for large payloads the difference
// is a copy and the garbage that it leaves. Changing a large one is a segmentation fault, which ends the worker; one that
// is kept shows other tasks' bytes later. A large result that is a part of it, or all of it, is not copied in the worker
// either: the caller's copy is made from the memory that it came in. Nothing else changes: callers pass a []byte, it travels
// as one, and a result is its receiver's, one of this type too. Only [CBOR] lends.
type Lent []byte

// decodeArgument reads a handler's argument as the codec does. What is lent points into data.
func decodeArgument[T any](codec Codec, data []byte) (T, error) {
	if codec == CBOR {
		var v T
		if p, ok := any(&v).(*Lent); ok && lend(data, p) {
			return v, nil
		}
	}
	return decode[T](codec, data)
}

// partOf is the large byte slice that v points to, if it lies in a large argument; else nil.
func partOf(codec Codec, arg []byte, v any) []byte {
	if len(arg) < inlinePayload || codec != CBOR {
		return nil
	}
	b := bytesOf(v)
	if b == nil || len(*b) < inlinePayload {
		return nil
	}
	if _, ok := offsetIn(arg, *b); !ok {
		return nil
	}
	return *b
}

// offsetIn is where in the memory of whole part begins, if all of it lies there. Both are not empty.
func offsetIn(whole, part []byte) (offset uint64, ok bool) {
	from, at := uintptr(unsafe.Pointer(unsafe.SliceData(whole))), uintptr(unsafe.Pointer(unsafe.SliceData(part)))
	if at < from || at-from > uintptr(len(whole)) || uintptr(len(part)) > uintptr(len(whole))-(at-from) {
		return 0, false
	}
	return uint64(at - from), true
}
