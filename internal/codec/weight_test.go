package codec

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

type weightWide struct {
	A, B, C [64]int `cbor:",omitempty"`
	Next    *weightWide
	M       map[string][]weightWide `cbor:"m"`
	When    time.Time
}

// repeated is an array of so many items, in some field perhaps.
func repeated(before string, n int, item string) []byte {
	head := binary.BigEndian.AppendUint32(append([]byte(before), 0x9a), uint32(n))
	return append(head, strings.Repeat(item, n)...)
}

// Each of these takes many times its size when it is decoded, and the bound is what a host is promised.
func TestWhatAWorkerSendsIsNotDecodedIntoMoreThanAMultipleOfItsSize(t *testing.T) {
	const many = 40 << 20
	for _, c := range []struct {
		into any
		data []byte
	}{
		{new([]any), repeated("", many, "\xf6")},
		{new(any), repeated("", many, "\xf6")},
		{new(any), repeated("", many, "\xa0")},
		{new(any), repeated("\xc1", many, "\x80")},
		{new([][]int), repeated("", many, "\xf6")},
		{new([]*weightWide), repeated("", many/16, "\xa0")},
		{new([]weightWide), repeated("", many/16, "\xf6")},
		{new(weightWide), repeated("\xa1\x61M\xa1\x60", many/16, "\xf6")},
		{new([]weightWide), append(append([]byte{0x9f}, bytes.Repeat([]byte{0xf6}, many/16)...), 0xff)},
		{new([][4096]int), repeated("", many/64, "\x80")},
		{new([]map[string]int), repeated("", many/2, "\xa0")},
	} {
		g := NewWithT(t)
		typ := reflect.TypeOf(c.into).Elem()
		g.Expect(len(c.data)).To(BeNumerically(">", Light(typ)), "%v", typ)
		g.Expect(TooHeavy(c.data, typ)).To(MatchError(ContainSubstring("would take more than 8 times that")), "%v", typ)
	}
}

// What is weighed is about what is used: no honest value is refused for less than half of the bound, none passes with
// more than twice.
func TestTheWeightOfAValueIsAboutTheMemoryThatItTakes(t *testing.T) {
	wide := weightWide{Next: &weightWide{}, M: map[string][]weightWide{"one": make([]weightWide, 3)}}
	for i, v := range []any{
		make([]any, 100_000), make([][]int, 100_000),
		[]weightWide{wide, wide, wide, wide},
		map[string]any{"a": make([]any, 50_000)},
		map[int]string{1: strings.Repeat("x", 100_000)},
		[]*weightWide{&wide, &wide},
		strings.Split(strings.Repeat("word ", 20_000), " "),
	} {
		g := NewWithT(t)
		data, err := CBOR.Append(nil, v)
		g.Expect(err).NotTo(HaveOccurred())
		typ := reflect.TypeOf(v)
		w := weigher{data: data, left: 1 << 40}
		g.Expect(w.item(typ, 0)).To(BeTrue())
		g.Expect(w.data).To(BeEmpty(), "all of it was seen")
		into := reflect.New(typ)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		g.Expect(decMode().Unmarshal(data, into.Interface())).To(Succeed())
		runtime.ReadMemStats(&after)
		used, weight := float64(after.TotalAlloc-before.TotalAlloc), float64(1<<40-w.left)
		g.Expect(weight/used).To(And(BeNumerically(">", .4), BeNumerically("<", 2.5)),
			"%d: %T: %.0f used, %.0f weighed", i, v, used, weight)
	}
}

func FuzzWeight(f *testing.F) {
	for _, v := range []any{
		weightWide{}, []any{1, "two", nil, 3.5, map[string]int{"x": -1}, []byte("b")}, time.Unix(1, 1),
	} {
		data, err := CBOR.Append(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte{0x9f, 0x5f, 0x41, 0, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{new(any), new(weightWide), new([]weightWide), new(map[string]any)} {
			w := weigher{data: data, left: 1 << 40}
			whole := w.item(reflect.TypeOf(v).Elem(), 0) && len(w.data) == 0
			if decMode().Wellformed(data) == nil && len(data) > 0 && !whole {
				t.Errorf("%x is well-formed and was not walked over, as %T", data, v)
			}
		}
	})
}
