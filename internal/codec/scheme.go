package codec

import "reflect"

// Scheme is a codec and what is known of it beyond that it is one. [Of] makes it; the zero value is not usable.
type Scheme struct {
	Codec
	own bool // CBOR: simple values are encoded and decoded without it, bytes are lent, and types are looked at
	raw bool // JSON: bytes are their own encoding
}

// Of knows [CBOR] and [JSON]. Of any other codec nothing is known.
func Of(c Codec) Scheme { return Scheme{Codec: c, own: c == CBOR, raw: c == JSON} }

// MustCarry panics if values of the type would lose something on their way. What a codec of the user's own can carry,
// it alone knows.
func (s Scheme) MustCarry(what, name, role string, t reflect.Type) {
	if s.own {
		MustTravel(what, name, role, t)
	}
}

// Lends tells whether a result that is bytes can be read where it came in.
func (s Scheme) Lends() bool { return s.own }

// Encode appends v as the codec does.
func Encode[T any](s Scheme, dst []byte, v T) ([]byte, error) {
	if s.own {
		if out, ok := appendSimple(dst, &v); ok {
			return out, nil
		}
	}
	return encodeBy(s.Codec, dst, v)
}

//go:noinline
func encodeBy[T any](codec Codec, dst []byte, v T) ([]byte, error) { return codec.Append(dst, &v) }

// Decode reads data as the codec does.
func Decode[T any](s Scheme, data []byte) (T, error) {
	if s.own {
		var v T
		if parseSimple(data, &v) {
			return v, nil
		}
	}
	return decodeBy[T](s.Codec, data)
}

//go:noinline
func decodeBy[T any](codec Codec, data []byte) (v T, err error) {
	err = codec.Decode(data, &v)
	return v, err
}

// DecodeArgument reads a handler's argument as the codec does. What is lent points into data.
func DecodeArgument[T any](s Scheme, data []byte) (T, error) {
	if s.own {
		var v T
		if p, ok := any(&v).(*Lent); ok && Lend(data, p) {
			return v, nil
		}
	}
	return Decode[T](s, data)
}
