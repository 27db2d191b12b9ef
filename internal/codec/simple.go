package codec

import (
	"encoding/binary"
	"math"
)

// The types that small tasks are made of are encoded and decoded here: the bytes are the CBOR that the library would
// write, but the value needs not escape to the heap, as everything does that is passed to a method of an interface.

// The major types of RFC 8949 §3.1 that the fast paths below write and read.
const (
	cborUint   = 0 << 5
	cborNeg    = 1 << 5
	BytesMajor = 2 << 5
	TextMajor  = 3 << 5
	cborMap    = 5 << 5
	cborFalse  = 7<<5 | 20
	cborTrue   = 7<<5 | 21
)

// appendSimple appends what v points to, if it is of a simple type.
func appendSimple(dst []byte, v any) (out []byte, ok bool) {
	switch v := v.(type) {
	case *int:
		return appendInt(dst, int64(*v)), true
	case *int64:
		return appendInt(dst, *v), true
	case *int32:
		return appendInt(dst, int64(*v)), true
	case *uint:
		return AppendHead(dst, cborUint, uint64(*v)), true
	case *uint64:
		return AppendHead(dst, cborUint, *v), true
	case *uint32:
		return AppendHead(dst, cborUint, uint64(*v)), true
	case *bool:
		if *v {
			return append(dst, cborTrue), true
		}
		return append(dst, cborFalse), true
	case *struct{}:
		return append(dst, cborMap), true
	case *string:
		return append(AppendHead(dst, TextMajor, uint64(len(*v))), *v...), true
	case *[]byte, *Lent:
		if b := BytesOf(v); *b != nil {
			return append(AppendHead(dst, BytesMajor, uint64(len(*b))), *b...), true
		}
	}
	return dst, false
}

// parseSimple sets what v points to, if it is of a simple type and data is its plain encoding.
func parseSimple(data []byte, v any) bool {
	switch v := v.(type) {
	case *int:
		n, ok := parseInt(data, math.MinInt, math.MaxInt)
		return ok && set(v, int(n))
	case *int64:
		n, ok := parseInt(data, math.MinInt64, math.MaxInt64)
		return ok && set(v, n)
	case *int32:
		n, ok := parseInt(data, math.MinInt32, math.MaxInt32)
		return ok && set(v, int32(n))
	case *uint:
		n, ok := parseUint(data, math.MaxUint)
		return ok && set(v, uint(n))
	case *uint64:
		n, ok := parseUint(data, math.MaxUint64)
		return ok && set(v, n)
	case *uint32:
		n, ok := parseUint(data, math.MaxUint32)
		return ok && set(v, uint32(n))
	case *bool:
		return len(data) == 1 && (data[0] == cborTrue || data[0] == cborFalse) && set(v, data[0] == cborTrue)
	case *struct{}:
		return len(data) == 1 && data[0] == cborMap
	case *string:
		body, ok := parseBody(data, TextMajor)
		return ok && set(v, string(body))
	case *[]byte, *Lent:
		body, ok := parseBody(data, BytesMajor)
		return ok && set(BytesOf(v), append([]byte{}, body...))
	}
	return false
}

func set[T any](p *T, v T) bool {
	*p = v
	return true
}

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return AppendHead(dst, cborNeg, uint64(^n))
	}
	return AppendHead(dst, cborUint, uint64(n))
}

// AppendHead writes an initial byte and its argument in the shortest form, as the canonical encoding does.
func AppendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, major|27), n)
	}
}

// parseHead reads an initial byte and its argument; used is 0 when data is not a definite head.
func parseHead(data []byte) (major byte, n uint64, used int) {
	if len(data) == 0 {
		return 0, 0, 0
	}
	major, info := data[0]&0xe0, data[0]&0x1f
	switch {
	case info < 24:
		return major, uint64(info), 1
	case info == 24 && len(data) >= 2:
		return major, uint64(data[1]), 2
	case info == 25 && len(data) >= 3:
		return major, uint64(binary.BigEndian.Uint16(data[1:])), 3
	case info == 26 && len(data) >= 5:
		return major, uint64(binary.BigEndian.Uint32(data[1:])), 5
	case info == 27 && len(data) >= 9:
		return major, binary.BigEndian.Uint64(data[1:]), 9
	}
	return 0, 0, 0
}

func parseInt(data []byte, least, most int64) (int64, bool) {
	major, n, used := parseHead(data)
	if used == 0 || used != len(data) || n > math.MaxInt64 || major != cborUint && major != cborNeg {
		return 0, false
	}
	v := int64(n)
	if major == cborNeg {
		v = ^v
	}
	return v, least <= v && v <= most
}

func parseUint(data []byte, most uint64) (uint64, bool) {
	major, n, used := parseHead(data)
	return n, used > 0 && used == len(data) && major == cborUint && n <= most
}

func parseBody(data []byte, want byte) ([]byte, bool) {
	major, n, used := parseHead(data)
	if used == 0 || major != want || n != uint64(len(data)-used) {
		return nil, false
	}
	return data[used:], true
}
