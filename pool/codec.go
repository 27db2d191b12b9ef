package pool

import (
	"encoding/binary"
	"errors"
	"math"
	"sync"

	"github.com/fxamacker/cbor/v2"
)

// Codec turns arguments and results into bytes and back. Both sides of a pool are the same program, so a codec needs to
// understand only its own output. It must be safe for concurrent use.
type Codec interface {
	// Append encodes the value that v points to and appends it to dst.
	Append(dst []byte, v any) ([]byte, error)
	// Decode decodes data into the value that v points to. It must not keep data, nor anything that points into it.
	Decode(data []byte, v any) error
}

// CBOR is the codec of [Register]: RFC 8949 by fxamacker/cbor. Field names follow `cbor` or else `json` struct tags;
// times keep nanoseconds and their offset; unexported fields are ignored.
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
	m, err := cbor.DecOptions{MaxArrayElements: math.MaxInt32, MaxMapPairs: math.MaxInt32, MaxNestedLevels: 256}.DecMode()
	if err != nil {
		panic(err) // the options are constants
	}
	return m
})

// The major types of RFC 8949 §3.1 that the fast paths below write and read.
const (
	cborUint  = 0 << 5
	cborNeg   = 1 << 5
	cborBytes = 2 << 5
	cborText  = 3 << 5
)

// Append has fast paths for the types that small tasks are made of; their bytes are the same CBOR.
func (cborCodec) Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case *int:
		return appendInt(dst, int64(*v)), nil
	case *int64:
		return appendInt(dst, *v), nil
	case *uint64:
		return appendHead(dst, cborUint, *v), nil
	case *string:
		return append(appendHead(dst, cborText, uint64(len(*v))), *v...), nil
	case *[]byte:
		if *v != nil {
			return append(appendHead(dst, cborBytes, uint64(len(*v))), *v...), nil
		}
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
	switch v := v.(type) {
	case *int:
		if n, ok := parseInt(data); ok {
			*v = int(n)
			return nil
		}
	case *int64:
		if n, ok := parseInt(data); ok {
			*v = n
			return nil
		}
	case *[]byte:
		if body, ok := parseBody(data, cborBytes); ok {
			*v = append(make([]byte, 0, len(body)), body...)
			return nil
		}
	}
	if len(data) == 0 {
		return errors.New("empty message")
	}
	return decMode().Unmarshal(data, v)
}

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendHead(dst, cborNeg, uint64(^n))
	}
	return appendHead(dst, cborUint, uint64(n))
}

// appendHead writes an initial byte and its argument in the shortest form, as the canonical encoding does.
func appendHead(dst []byte, major byte, n uint64) []byte {
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

func parseInt(data []byte) (int64, bool) {
	major, n, used := parseHead(data)
	if used == 0 || used != len(data) || n > math.MaxInt64 {
		return 0, false
	}
	switch major {
	case cborUint:
		return int64(n), true
	case cborNeg:
		return ^int64(n), true
	}
	return 0, false
}

func parseBody(data []byte, want byte) ([]byte, bool) {
	major, n, used := parseHead(data)
	if used == 0 || major != want || n != uint64(len(data)-used) {
		return nil, false
	}
	return data[used:], true
}
