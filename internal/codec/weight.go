package codec

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// A worker is not trusted, and a byte that it sends can take a hundred in memory: a list of nothing, a row of empty
// structs. What would take more than weightPerByte times its size and weightFree is refused before it is decoded. To
// find out takes a walk over the bytes with the type, which is only made where they are so many that it could be so.
const (
	weightFree    = 256 << 20
	weightPerByte = 8
)

// TooHeavy is an error if decoding the data into the type takes too much memory. Data that is no CBOR is left to the
// decoder, which looks at the whole before it makes anything.
func TooHeavy(data []byte, t reflect.Type) error {
	w := weigher{data: data, left: weightFree + weightPerByte*len(data)}
	w.item(t, 0)
	if w.left >= 0 {
		return nil
	}
	return fmt.Errorf("%d bytes would take more than %d times that, and %d MiB, as %v",
		len(data), weightPerByte, weightFree>>20, t)
}

var anyType = reflect.TypeFor[any]()

const (
	anyWeight = 48 // what an any points to, about
	mapWeight = 48
)

// Light is how many bytes take no more than what is free, whatever they are, when they are decoded into the type.
func Light(t reflect.Type) int { return weightFree / max(densityOf(t, map[reflect.Type]bool{}), 1) }

// Unseen is how many bytes of a result may be decoded without a look.
func Unseen[Out any](s Scheme) int {
	if !s.own {
		return math.MaxInt
	}
	return Light(reflect.TypeFor[Out]())
}

// densityOf bounds what a byte can take when it is decoded into the type.
func densityOf(t reflect.Type, above map[reflect.Type]bool) (d int) {
	if above[t] || encodesItself(t) {
		return 0
	}
	above[t] = true
	defer delete(above, t)
	switch t.Kind() {
	case reflect.Interface:
		return int(anyType.Size()) + anyWeight + mapWeight
	case reflect.Pointer, reflect.Slice:
		return int(t.Elem().Size()) + densityOf(t.Elem(), above)
	case reflect.Array:
		return densityOf(t.Elem(), above)
	case reflect.Map:
		return mapWeight + pairWeight(t) + densityOf(t.Key(), above) + densityOf(t.Elem(), above)
	case reflect.Struct:
		for _, f := range weighedFields(t).list {
			d = max(d, densityOf(f, above))
		}
		return d
	}
	return 1
}

func pairWeight(t reflect.Type) int { return 2 * int(t.Key().Size()+t.Elem().Size()) }

// encodesItself tells whether what the type makes of its bytes is its own affair.
func encodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return t == timeType || t == bigIntType || p.Implements(cborUnmarshaler) || p.Implements(binaryUnmarshaler)
}

// weighed is the fields of a struct, in their order and by their names in lower case.
type weighed struct {
	list []reflect.Type
	name map[string]reflect.Type
}

var weighedStructs sync.Map // of *weighed by reflect.Type

func weighedFields(t reflect.Type) *weighed {
	if known, ok := weighedStructs.Load(t); ok {
		return known.(*weighed)
	}
	w := &weighed{name: map[string]reflect.Type{}}
	fields, _ := flatten(t, "", 0, map[reflect.Type]bool{})
	for _, f := range fields {
		w.list = append(w.list, f.Type)
		w.name[strings.ToLower(f.name)] = f.Type
	}
	weighedStructs.Store(t, w)
	return w
}

// weigher walks over encoded data and takes what it would take in memory from what is left.
type weigher struct {
	data []byte
	left int
}

const (
	majorArray, majorMap, majorTag, majorSimple = 4 << 5, 5 << 5, 6 << 5, 7 << 5

	indefinite = -1
)

// head reads the head of an item; false at the end, at what is no CBOR, and when nothing is left.
func (w *weigher) head() (major byte, n int, ok bool) {
	major, count, used := parseHead(w.data)
	switch {
	case w.left < 0 || len(w.data) == 0:
		return 0, 0, false
	case used == 0 && w.data[0]&0x1f == 31 && w.data[0] != 0xff:
		major, n, used = w.data[0]&0xe0, indefinite, 1
	case used == 0, major < majorTag && major >= BytesMajor && count > uint64(len(w.data)):
		return 0, 0, false
	default:
		n = int(min(count, 1<<40))
	}
	w.data = w.data[used:]
	return major, n, true
}

// more tells whether an array or map of n has an i-th entry.
func (w *weigher) more(i, n int) bool {
	if n != indefinite {
		return i < n
	}
	if len(w.data) > 0 && w.data[0] == 0xff {
		w.data = w.data[1:]
		return false
	}
	return true
}

// item weighs one item that is decoded into the type; nil is one that is passed over. It reports whether to go on.
func (w *weigher) item(t reflect.Type, depth int) bool {
	null := len(w.data) > 0 && w.data[0] == 0xf6
	for t != nil && t.Kind() == reflect.Pointer && !null {
		t = t.Elem()
		w.left -= int(t.Size())
	}
	major, n, ok := w.head()
	if !ok || depth > 256 {
		return false
	}
	kind := reflect.Invalid
	if t != nil && !encodesItself(t) {
		kind = t.Kind()
	}
	if kind == reflect.Interface && !null {
		w.left -= anyWeight
	}
	switch major {
	case BytesMajor, TextMajor:
		return w.text(n, kind != reflect.Invalid)
	case majorArray:
		return w.array(t, kind, n, depth)
	case majorMap:
		return w.pairs(t, kind, n, depth)
	case majorTag:
		return w.item(t, depth+1)
	}
	return true
}

// text passes over a string, in pieces perhaps.
func (w *weigher) text(n int, kept bool) bool {
	for i := 0; n == indefinite && w.more(i, n); i++ {
		if _, piece, ok := w.head(); !ok || !w.text(max(piece, 0), kept) {
			return false
		}
	}
	if n == indefinite {
		return true
	}
	if n > len(w.data) {
		return false
	}
	w.data = w.data[n:]
	if kept {
		w.left -= n
	}
	return w.left >= 0
}

func (w *weigher) array(t reflect.Type, kind reflect.Kind, n, depth int) bool {
	var elem reflect.Type
	var fields []reflect.Type
	each := 0
	switch kind {
	case reflect.Interface:
		elem, each = anyType, int(anyType.Size())
	case reflect.Slice:
		elem = t.Elem()
		each = int(elem.Size())
	case reflect.Array:
		elem = t.Elem()
	case reflect.Struct:
		fields = weighedFields(t).list
	}
	if n > 0 {
		w.left -= n * each
		each = 0
	}
	for i := 0; w.more(i, n); i++ {
		if i < len(fields) {
			elem = fields[i]
		}
		w.left -= each
		if !w.item(elem, depth+1) {
			return false
		}
	}
	return w.left >= 0
}

func (w *weigher) pairs(t reflect.Type, kind reflect.Kind, n, depth int) bool {
	var key, elem reflect.Type
	var fields *weighed
	each := 0
	switch kind {
	case reflect.Interface:
		key, elem, each = anyType, anyType, 4*int(anyType.Size())
	case reflect.Map:
		key, elem, each = t.Key(), t.Elem(), pairWeight(t)
		w.left -= mapWeight
	case reflect.Struct:
		fields = weighedFields(t)
	}
	for i := 0; w.more(i, n); i++ {
		w.left -= each
		if fields != nil {
			elem = fields.named(w.data)
		}
		if !w.item(key, depth+1) || !w.item(elem, depth+1) {
			return false
		}
	}
	return w.left >= 0
}

// named is the type of the field whose name the data begins with; nil if there is none.
func (w *weighed) named(data []byte) reflect.Type {
	major, n, used := parseHead(data)
	switch {
	case used == 0:
		return nil
	case major == cborUint:
		return w.name[strconv.FormatUint(n, 10)]
	case major == cborNeg:
		return w.name["-"+strconv.FormatUint(n+1, 10)]
	case major > TextMajor || n > uint64(len(data)-used):
		return nil
	}
	name := data[used : used+int(n)]
	if t, ok := w.name[string(name)]; ok {
		return t
	}
	return w.name[strings.ToLower(string(name))]
}
