package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// JSON is the codec of tasks in other languages: encoding/json, but bytes are as they are, and text must be UTF-8. It
// decodes into a value that is zero, or an error.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Append(dst []byte, v any) ([]byte, error) {
	if b := BytesOf(v); b != nil {
		return append(dst, *b...), nil
	}
	data, err := json.Marshal(v)
	if err == nil && replacedText(data) {
		err = errNotText
	}
	if err != nil {
		return dst, err
	}
	return append(dst, data...), nil
}

var errNotText = errors.New("a string is not UTF-8: pass it as []byte")

// replacedText tells whether the encoder wrote the replacement character for bytes that are not UTF-8: it escapes that
// one then, and never where the text itself has it.
func replacedText(data []byte) bool {
	const mark = `\ufffd`
	for {
		i := bytes.Index(data, []byte(mark))
		if i < 0 {
			return false
		}
		escapes := i - len(bytes.TrimRight(data[:i], `\`))
		if escapes%2 == 0 {
			return true
		}
		data = data[i+len(mark):]
	}
}

func (jsonCodec) Decode(data []byte, v any) error {
	if b := BytesOf(v); b != nil {
		*b = append([]byte{}, data...)
		return nil
	}
	if !utf8.Valid(data) {
		return errNotText
	}
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) && !nilable(reflect.TypeOf(v).Elem().Kind()) {
		return fmt.Errorf("null, where a %v is wanted: did the handler return nothing?", reflect.TypeOf(v).Elem())
	}
	return json.Unmarshal(data, v)
}

func nilable(k reflect.Kind) bool {
	return k == reflect.Pointer || k == reflect.Interface || k == reflect.Map || k == reflect.Slice
}

// IsBytes tells whether the type is bytes, which travel as they are.
func IsBytes[T any]() bool {
	var v T
	return BytesOf(&v) != nil
}
