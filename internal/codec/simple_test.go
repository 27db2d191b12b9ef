package codec

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	. "github.com/onsi/gomega"
)

// simpleValues are pointers to values of each simple type, those at its ends among them.
func simpleValues() []any {
	return []any{
		new(0), new(-1), new(23), new(24), new(math.MaxInt), new(math.MinInt),
		new(int64(256)), new(int64(math.MaxInt64)), new(int64(math.MinInt64)),
		new(int32(65536)), new(int32(math.MaxInt32)), new(int32(math.MinInt32)),
		new(uint(0)), new(uint(math.MaxUint)),
		new(uint64(1) << 32), new(uint64(math.MaxUint64)), new(uint64(math.MaxInt64) + 1),
		new(uint32(255)), new(uint32(math.MaxUint32)),
		new(true), new(false), new(struct{}{}),
		new(""), new("Zürich"), new("no \xff UTF-8"),
		new([]byte{}), new([]byte("bytes")), new(Lent("lent")),
	}
}

func TestASimpleValueIsEncodedAsTheLibraryDoesAndComesBack(t *testing.T) {
	for _, v := range simpleValues() {
		g := NewWithT(t)
		want, err := encMode().Marshal(v)
		g.Expect(err).NotTo(HaveOccurred())
		got, ok := appendSimple(nil, v)
		g.Expect(ok).To(BeTrue(), "%T is simple", v)
		g.Expect(got).To(Equal(want), "%T %v", v, reflect.ValueOf(v).Elem())
		back := reflect.New(reflect.TypeOf(v).Elem()).Interface()
		g.Expect(parseSimple(got, back)).To(BeTrue(), "%T %v", v, reflect.ValueOf(v).Elem())
		g.Expect(back).To(Equal(v))
	}
}

// What is not the plain encoding of the type, or beyond its range, is left to the library, which has the words for it.
func TestNoBytesAreASimpleValueThatTheLibraryReadsOtherwise(t *testing.T) {
	g := NewWithT(t)
	seed := rand.Uint64()
	r, taken := rand.New(rand.NewPCG(seed, 0)), 0
	for range 50_000 {
		data := make([]byte, 1+r.IntN(10))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 { // more often a head that the rest fits
			data[0] = byte(r.IntN(8))<<5 | []byte{0: 0, 1: 20, 2: 21, 3: 24, 4: 25, 5: 26, 6: 27}[r.IntN(7)]
		}
		for _, v := range simpleValues() {
			typ := reflect.TypeOf(v).Elem()
			ours, theirs := reflect.New(typ).Interface(), reflect.New(typ).Interface()
			if !parseSimple(data, ours) {
				continue
			}
			taken++
			if decMode().Unmarshal(data, theirs) != nil || !reflect.DeepEqual(ours, theirs) {
				t.Fatalf("seed %d: % x is %v, and the library reads %v", seed, data, ours, theirs)
			}
		}
	}
	g.Expect(taken).To(BeNumerically(">", 10_000), "seed %d", seed)
}
