package pool

import (
	"slices"
	"unsafe"

	"github.com/respawn-go/respawn/internal/codec"
	"github.com/respawn-go/respawn/internal/wire"
)

// Large byte slices and strings are copied as seldom as can be: once into the arena and once out of it on each side. The
// copies out are there because the memory is the other side's to change.

// borrow makes a large simple value the call's data without encoding it: its head goes to inline. A slice is used as it
// is when the caller waits for the outcome, else copied, since its owner may go on to change it; a string is never
// changed. It reports whether v was of that kind.
func (c *call) borrow(by codec.Codec, v any, waits bool) bool {
	if by == JSON {
		return c.borrowRaw(codec.BytesOf(v), waits)
	}
	if by != CBOR {
		return false
	}
	major := byte(codec.BytesMajor)
	if b := codec.BytesOf(v); b != nil {
		v = b
	}
	switch v := v.(type) {
	case *[]byte:
		if len(*v) < wire.InlinePayload {
			return false
		}
		if c.data = *v; !waits {
			c.data = slices.Clone(*v)
		}
		c.borrowed = waits
	case *string:
		if len(*v) < wire.InlinePayload {
			return false
		}
		major = codec.TextMajor
		c.data = unsafe.Slice(unsafe.StringData(*v), len(*v))
	default:
		return false
	}
	c.head = uint8(len(codec.AppendHead(c.inline[:0], major, uint64(len(c.data)))))
	return true
}

// borrowRaw is borrow for bytes that travel as they are, to workers of another language.
func (c *call) borrowRaw(b *[]byte, waits bool) bool {
	if b == nil || len(*b) < wire.InlinePayload {
		return false
	}
	if c.data = *b; !waits {
		c.data = slices.Clone(*b)
	}
	c.borrowed = waits
	return true
}

// size is that of its encoded argument.
func (c *call) size() int { return int(c.head) + len(c.data) }

// large tells whether its argument is for the arena.
func (c *call) large() bool {
	if c.def.external {
		return c.size() >= wire.ExternalInline
	}
	return c.size() >= wire.InlinePayload
}
