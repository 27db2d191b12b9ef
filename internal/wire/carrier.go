package wire

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// Carrier is what travels with a task beside its argument: in the place of the key in its frame.
type Carrier struct {
	Key      string
	Deadline time.Time // the zero value is none
	Meta     map[string]string
}

// carries begins what is more than a key. A key of its own that begins with it travels as more, too.
const carries = 0

// Encode is the bytes that travel: the key alone if there is no more.
//
//	0  u8   0
//	1  i64  deadline in nanoseconds since 1970, 0: none
//	9  then key, name, value, name, value, …, each with its length as u16 before it
func (c Carrier) Encode() string {
	if c.Deadline.IsZero() && len(c.Meta) == 0 && (c.Key == "" || c.Key[0] != carries) {
		return c.Key
	}
	var deadline int64
	if !c.Deadline.IsZero() {
		deadline = c.Deadline.UnixNano()
	}
	b := binary.LittleEndian.AppendUint64([]byte{carries}, uint64(deadline))
	put := func(s string) { b = append(binary.LittleEndian.AppendUint16(b, uint16(len(s))), s...) }
	put(c.Key)
	for _, name := range slices.Sorted(maps.Keys(c.Meta)) {
		put(name)
		put(c.Meta[name])
	}
	return string(b)
}

// DecodeCarrier reads what Encode made. What is cut short is left out.
func DecodeCarrier(s string) (c Carrier) {
	if s == "" || s[0] != carries || len(s) < 9 {
		return Carrier{Key: s}
	}
	if at := int64(binary.LittleEndian.Uint64([]byte(s[1:9]))); at != 0 {
		c.Deadline = time.Unix(0, at)
	}
	s = s[9:]
	next := func() (part string, ok bool) {
		if len(s) < 2 {
			return "", false
		}
		n := int(binary.LittleEndian.Uint16([]byte(s[:2])))
		if len(s) < 2+n {
			return "", false
		}
		part, s = s[2:2+n], s[2+n:]
		return part, true
	}
	c.Key, _ = next()
	for {
		name, ok := next()
		value, more := next()
		if !ok || !more {
			return c
		}
		if c.Meta == nil {
			c.Meta = map[string]string{}
		}
		c.Meta[name] = value
	}
}
