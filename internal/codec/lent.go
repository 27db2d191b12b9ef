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

// TakeOver makes a large encoding the value that v points to, without a copy: nobody else may use it. False if that
// is not its type, or the codec's way.
func (s Scheme) TakeOver(data []byte, v any) bool {
	switch {
	case len(data) < wire.InlinePayload:
		return false
	case s.own:
		return Lend(data, v)
	case s.raw:
		if b := BytesOf(v); b != nil {
			*b = data
			return true
		}
	}
	return false
}

// Body is where v, which is bytes or a string, has the body of its encoding, if that is large: head comes before it,
// and is appended to dst. Whoever has bytes may change them, but nobody a string. Nil for anything else.
func (s Scheme) Body(dst []byte, v any) (head, body []byte, changes bool) {
	head = dst
	major := byte(BytesMajor)
	switch v := v.(type) {
	case *[]byte, *Lent:
		body, changes = *BytesOf(v), true
	case *string:
		if s.raw {
			return dst, nil, false
		}
		body, major = unsafe.Slice(unsafe.StringData(*v), len(*v)), TextMajor
	}
	if len(body) < wire.InlinePayload || !s.own && !s.raw {
		return dst, nil, false
	}
	if s.own {
		head = AppendHead(dst, major, uint64(len(body)))
	}
	return head, body, changes
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

// PartOf is the large byte slice that v points to, if it lies in a large argument; else nil.
func PartOf(s Scheme, arg []byte, v any) []byte {
	if len(arg) < wire.InlinePayload || !s.own {
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
