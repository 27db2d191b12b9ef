package wire

// Error is a handler's error on the wire.
type Error struct {
	Message string       `cbor:"m"`
	Type    string       `cbor:"t"`
	Known   []KnownError `cbor:"k,omitempty"`
}

// KnownError is an error of the tree that both sides know by name.
type KnownError struct {
	Name string `cbor:"n"`
	Data []byte `cbor:"d,omitempty"`
}

// MaxKnownErrors bounds what one error tree may carry.
const MaxKnownErrors = 64

// Panic is a recovered panic.
type Panic struct {
	Value string `cbor:"v"`
	At    string `cbor:"a,omitempty"`
	Stack string `cbor:"s"`
}

// CodecFailure is a failure of a codec in the worker.
type CodecFailure struct {
	What     string `cbor:"w"`
	Err      Error  `cbor:"e"`
	TooLarge bool   `cbor:"l,omitempty"`
}
