//lint:file-ignore U1000 some fields here are there to be looked at by reflection

package pool_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"math"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"github.com/respawn-go/respawn/pool"

	"github.com/fxamacker/cbor/v2"

	. "github.com/onsi/gomega"
)

type (
	plain struct {
		A int
		B string `json:"b,omitempty"`
		C []byte `cbor:"c"`
		D *plain
		E map[string][]float64
	}
	base     struct{ ID, Rank int }
	derived  struct{ base }
	Exported struct{ ID int }
	both     struct {
		Exported
		Name string
	}
	pair[A, B any] struct {
		First  A
		Second B
	}
	selfMade  struct{ n int }
	selfMadeB struct{ text string }
	wholeTime struct{ time.Time }
	inOrder   struct {
		_    struct{} `cbor:",toarray"`
		X, Y int
	}
	leavesBehind struct {
		A    int
		memo map[string]int `cbor:"-"`
		B    func()         `json:"-"`
		none struct{}
	}
	lossy struct {
		A int
		R *regexp.Regexp `pool:"lossy"`
	}
	level int
)

func (s selfMade) MarshalCBOR() ([]byte, error)     { return cbor.Marshal(s.n) }
func (s *selfMade) UnmarshalCBOR(b []byte) error    { return cbor.Unmarshal(b, &s.n) }
func (s *selfMadeB) MarshalBinary() ([]byte, error) { return []byte(s.text), nil }
func (s *selfMadeB) UnmarshalBinary(b []byte) error { s.text = string(b); return nil }
func (l level) MarshalText() ([]byte, error)        { return []byte(strings.Repeat("I", int(l))), nil }
func (l *level) UnmarshalText(b []byte) error       { *l = level(len(b)); return nil }

var travels int

// traveller is a value that goes to a worker and back.
func traveller[T any](v T) func(ctx context.Context, g *WithT, p *pool.Pool) {
	travels++
	task := pool.Register(fmt.Sprintf("travel-%d", travels), func(_ context.Context, v T) (T, error) { return v, nil })
	return func(ctx context.Context, g *WithT, p *pool.Pool) {
		back, err := task.Call(ctx, p, v)
		g.Expect(err).NotTo(HaveOccurred(), "%T", v)
		g.Expect(reflect.DeepEqual(back, v)).To(BeTrue(), "%#v became %#v", v, back)
	}
}

var travellers = []func(context.Context, *WithT, *pool.Pool){
	traveller(true), traveller(int8(-8)), traveller(uint16(16)), traveller(uint64(math.MaxUint64)),
	traveller(int64(math.MinInt64)), traveller(float32(1.5)), traveller(math.Inf(-1)), traveller("text \xff"),
	traveller([]byte{1, 2}), traveller([]byte(nil)), traveller([3]uint8{1, 2, 3}),
	traveller([]string{"a"}), traveller(map[string]int{"a": 1}), traveller(map[int][]bool{-1: {true}}),
	traveller(map[base]string{{1, 2}: "x"}), traveller(new("pointer")), traveller((*plain)(nil)),
	traveller(plain{A: 1, B: "2", C: []byte("3"), D: &plain{A: 4}, E: map[string][]float64{"5": {6}}}),
	traveller(derived{base{1, 2}}), traveller(both{Exported{1}, "2"}), traveller(pair[int, []string]{1, []string{"2"}}),
	traveller(inOrder{X: 1, Y: 2}), traveller(struct{}{}),
	traveller(time.Date(2026, 11, 29, 16, 30, 0, 123456789, time.UTC)), traveller(time.Minute), traveller(time.March),
	traveller(*big.NewInt(-7)), traveller(new(big.Int).Lsh(big.NewInt(1), 200)),
	traveller(netip.MustParseAddr("2001:db8::1%eth0")), traveller(netip.MustParseAddrPort("10.0.0.1:80")),
	traveller(netip.MustParsePrefix("10.0.0.0/8")), traveller(net.IPv4(10, 0, 0, 1)),
	traveller(net.IPNet{IP: net.IP{10, 0, 0, 0}, Mask: net.IPMask{255, 0, 0, 0}}),
	traveller(&url.URL{Scheme: "https", User: url.UserPassword("a", "b"), Host: "h", Path: "/p"}),
	traveller(http.Header{"A": {"b"}}), traveller(sql.NullString{String: "s", Valid: true}), traveller(slog.LevelWarn),
	traveller(os.FileMode(0o644)), traveller(selfMade{7}), traveller(&selfMade{8}), traveller(selfMadeB{"binary"}),
	traveller([]*selfMadeB{{"b"}}), traveller(cbor.RawMessage{0x01}),
	traveller(wholeTime{time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)}), traveller(leavesBehind{A: 1}),
	traveller(level(3)), traveller(sha256.Sum256(nil)),
	traveller(map[string]any{"a": "b", "n": []any{uint64(1), int64(-2), 1.5, nil, true}}),
}

func TestWhatCBORCarriesArrivesWhole(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for _, there := range travellers {
		there(bound(t), g, p)
	}
}

type (
	private struct{ secret int }
	job     struct{ Steps []map[string]step }
	step    struct{ Log *slog.Logger }
	shadow  struct {
		Exported
		ID string
	}
	Other struct{ ID int }
	twins struct {
		Exported
		Other
	}
	sameTag struct {
		A int `cbor:"x"`
		B int `cbor:"x"`
	}
	besideTime struct {
		time.Time
		Zone string
	}
	besideOwn struct {
		selfMade
		Zone string
	}
	pointed  struct{ *base }
	oneWay   struct{ n int }
	oneWayB  struct{ N int }
	ownKind  uint8
	hasKind  struct{ ownKind }
	calls    struct{ Done func() error }
	textOnly struct{ n int }
)

func (oneWay) MarshalCBOR() ([]byte, error)    { return []byte{1}, nil }
func (oneWayB) MarshalBinary() ([]byte, error) { return []byte{1}, nil }
func (textOnly) MarshalText() ([]byte, error)  { return []byte("x"), nil }
func (*textOnly) UnmarshalText(_ []byte) error { return nil }

var _ encoding.TextUnmarshaler = (*textOnly)(nil)

// refused is a type that Register must not take, with the path that it is to name.
func refused[T any](path string) func(g *WithT) {
	return func(g *WithT) {
		what := reflect.TypeFor[T]().String()
		says := PanicWith(And(ContainSubstring("cannot cross the process border whole: "+path+" ("),
			ContainSubstring(`"refused"`)))
		g.Expect(func() { pool.Register("refused", func(context.Context, T) (int, error) { return 0, nil }) }).To(says,
			what)
		g.Expect(func() { pool.Register("refused", func(_ context.Context, _ int) (v T, err error) { return }) }).
			To(says, what)
		g.Expect(func() { pool.RegisterInit("refused", func(context.Context, T) error { return nil }) }).To(says, what)
	}
}

func TestRegisterRefusesATypeThatLosesSomethingOnItsWayAndNamesThePath(t *testing.T) {
	for _, check := range []func(*WithT){
		refused[private]("private.secret"), refused[*private]("*pool_test.private.secret"),
		refused[[]private]("[]pool_test.private[].secret"),
		refused[map[string]private]("map[string]pool_test.private[].secret"), refused[job]("job.Steps[][].Log.handler"),
		refused[map[private]int]("map[pool_test.private]int[key].secret"),
		refused[pair[int, private]]("pair[int,github.com/respawn-go/respawn/pool_test.private].Second.secret"),
		refused[bytes.Buffer]("Buffer.buf"), refused[*bytes.Buffer]("*bytes.Buffer.buf"),
		refused[strings.Builder]("Builder.addr"), refused[*regexp.Regexp]("*regexp.Regexp.expr"),
		refused[*os.File]("*os.File.file"), refused[*exec.Cmd]("*exec.Cmd.ctx"),
		refused[sync.Mutex]("Mutex.mu"), refused[atomic.Int64]("Int64.v"), refused[*big.Float]("*big.Float.prec"),
		refused[big.Rat]("Rat.a"), refused[*time.Location]("*time.Location.name"),
		refused[*http.Request]("*http.Request.ctx"), refused[*template.Template]("*template.Template.name"),
		refused[error]("error"), refused[io.Reader]("Reader"), refused[context.Context]("Context"),
		refused[fmt.Stringer]("Stringer"), refused[hash.Hash]("Hash"),
		refused[[]error]("[]error[]"), refused[struct{ Err error }]("struct { Err error }.Err"),
		refused[chan int]("chan int"), refused[func()]("func()"), refused[calls]("calls.Done"),
		refused[complex128]("complex128"), refused[uintptr]("uintptr"),
		refused[shadow]("shadow.Exported.ID"), refused[twins]("twins.Exported.ID"), refused[sameTag]("sameTag.A"),
		refused[besideTime]("besideTime.Zone"), refused[besideOwn]("besideOwn.Zone"), refused[pointed]("pointed.base"),
		refused[hasKind]("hasKind.ownKind"), refused[oneWay]("oneWay"), refused[oneWayB]("oneWayB"),
		refused[textOnly]("textOnly.n"),
	} {
		t.Run("", func(t *testing.T) { check(NewWithT(t)) })
	}
	// What failed took no name; and a codec of one's own knows what it can carry.
	pool.RegisterCodec("refused", codecOfNothing{}, func(context.Context, private) (int, error) { return 0, nil })
}

type codecOfNothing struct{}

func (codecOfNothing) Append(dst []byte, _ any) ([]byte, error) { return dst, nil }
func (codecOfNothing) Decode([]byte, any) error                 { return nil }

var (
	takesAny = pool.Register("takes-any", func(_ context.Context, v any) (string, error) { return fmt.Sprint(v), nil })
	givesAny = pool.Register("gives-any", func(context.Context, int) (map[string]any, error) {
		return map[string]any{"err": errors.New("lost")}, nil
	})
	takesLossy = pool.Register("takes-lossy", func(_ context.Context, v lossy) (int, error) { return v.A, nil })
)

func TestWhatAnAnyHoldsFailsTheTaskWhereItWouldLoseSomething(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for _, v := range []any{
		errors.New("gone"), fmt.Errorf("wrapped: %w", io.EOF),
		[]any{1, regexp.MustCompile("x")},
		map[string]any{"b": bytes.NewBufferString("x")},
		struct{ V any }{&private{1}},
		&[]any{os.Stdin},
		map[any]any{private{1}: 1},
		func() {},
	} {
		_, err := takesAny.Call(bound(t), p, v)
		g.Expect(err).To(BeAssignableToTypeOf(&pool.EncodeError{}), "%T", v)
		g.Expect(err).To(MatchError(ContainSubstring("cannot travel whole")), "%T", v)
	}
	_, err := givesAny.Call(bound(t), p, 0)
	g.Expect(err).To(MatchError(ContainSubstring("errorString.s (string) is not exported")))
	g.Expect(takesAny.Call(bound(t), p, []any{1, "a", plain{A: 1}})).To(HavePrefix("[1 a map["))
	g.Expect(takesLossy.Call(bound(t), p, lossy{A: 5, R: regexp.MustCompile("x")})).To(Equal(5))
}

type hollowError struct{ code int }

func (*hollowError) Error() string { return "hollow" }

func TestRegisterErrorRefusesAnErrorThatLosesSomething(t *testing.T) {
	NewWithT(t).Expect(func() { pool.RegisterError[*hollowError]("hollow") }).
		To(PanicWith(ContainSubstring("*pool_test.hollowError.code (int) is not exported")))
}

// chain can contain itself.
type chain struct {
	Next *chain
	Any  any
	At   time.Time
}

// hanging makes a chain of n links.
func hanging(n int) (c *chain) {
	for range n {
		c = &chain{Next: c}
	}
	return c
}

var (
	links = pool.Register("links", func(_ context.Context, c *chain) (n int, err error) {
		for ; c != nil; c = c.Next {
			n++
		}
		return n, nil
	})
	ring = pool.Register("ring", func(context.Context, int) (*chain, error) {
		c := hanging(1)
		c.Next = c
		return c, nil
	})
)

func TestAValueThatContainsItselfFailsItsCallerOnly(t *testing.T) {
	g := NewWithT(t)
	p := start(t, pool.Config{Size: 1})
	before := p.Workers()[0].PID

	loop := hanging(3)
	loop.Next.Next.Next = loop
	through := &chain{}
	through.Any = []any{map[string]any{"x": through}}
	for _, c := range []*chain{loop, through} {
		var enc *pool.EncodeError
		_, err := links.Call(bound(t), p, c)
		g.Expect(err).To(MatchError(ContainSubstring("does it contain itself?")))
		g.Expect(errors.As(err, &enc)).To(BeTrue())
	}
	_, err := ring.Call(bound(t), p, 0)
	g.Expect(err).To(MatchError(ContainSubstring("does it contain itself?")))

	g.Expect(links.Call(bound(t), p, hanging(100))).To(Equal(100))
	g.Expect(p.Workers()[0].PID).To(Equal(before), "no worker was lost")
}

var repeat = pool.Register("repeat", func(_ context.Context, s string) (string, error) { return s + s, nil })

// Large bytes and strings are lent rather than copied where nobody can notice: this is for those who would.
func TestLargeValuesKeepTheirBytesWhateverTheirOwnersDoNext(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	want := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)

	arg := bytes.Clone(want)
	stubborn.Submit(bound(t), p, 20*time.Millisecond) // keeps the next one in the queue
	f := echo.Submit(bound(t), p, arg)
	clear(arg) // the submitter has its slice back at once
	first, err := f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bytes.Equal(first, want)).To(BeTrue())
	clear(first) // each Result is its caller's own
	second, err := f.Result(bound(t))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bytes.Equal(second, want)).To(BeTrue())

	back, err := echo.Call(bound(t), p, want)
	g.Expect(err).NotTo(HaveOccurred())
	again, err := echo.Call(bound(t), p, want)
	g.Expect(err).NotTo(HaveOccurred())
	clear(back) // and so is each Call's
	g.Expect(bytes.Equal(again, want)).To(BeTrue())

	g.Expect(repeat.Call(bound(t), p, strings.Repeat("ü", 100_000))).To(Equal(strings.Repeat("ü", 200_000)))
}

// keeper tells whether what it kept of the call before still is as it was, and keeps its argument.
func keeper[T ~[]byte]() func(context.Context, T) (bool, error) {
	var kept T
	var was byte
	return func(_ context.Context, arg T) (bool, error) {
		same := len(kept) == 0 || kept[0] == was
		kept, was = arg, arg[0]
		return same, nil
	}
}

var (
	keepLent = pool.Register("keep-lent", keeper[pool.Lent]())
	keepOwn  = pool.Register("keep-own", keeper[[]byte]())
	echoLent = pool.Register("echo-lent", func(_ context.Context, b pool.Lent) (pool.Lent, error) { return b, nil })
)

func TestALentArgumentIsTheMemoryItCameInAndAnOwnOneIsACopy(t *testing.T) {
	for _, size := range []int{100, 1 << 20} { // in the socket, and by the arena
		g, p := NewWithT(t), start(t, pool.Config{Size: 1})
		one, two := bytes.Repeat([]byte{1}, size), bytes.Repeat([]byte{2}, size)
		g.Expect(keepLent.Call(bound(t), p, one)).To(BeTrue())
		g.Expect(keepLent.Call(bound(t), p, two)).To(BeFalse(), "%d bytes were copied", size)
		g.Expect(keepOwn.Call(bound(t), p, one)).To(BeTrue())
		g.Expect(keepOwn.Call(bound(t), p, two)).To(BeTrue(), "%d bytes were lent", size)
	}
}

func TestLentBytesComeBackAsTheirReceiversOwn(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	for _, size := range []int{0, 1, 100, 100_000, 3 << 20} {
		want := bytes.Repeat([]byte{7}, size)
		back, err := echoLent.Call(bound(t), p, want)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect([]byte(back)).To(Equal(want))
		clear(back)
		f := echoLent.Submit(bound(t), p, want)
		first, err := f.Result(bound(t))
		g.Expect(err).NotTo(HaveOccurred())
		clear(first)
		g.Expect(f.Result(bound(t))).To(Equal(pool.Lent(want)))
	}
	g.Expect(echoLent.Call(bound(t), p, nil)).To(BeEmpty())
}

// middle is what lies between the first and the last bytes of its argument.
type middle struct{ First, Last int }

var (
	cutAt  atomic.Pointer[middle] // of the worker
	setCut = pool.Register("set-cut",
		func(_ context.Context, m middle) (bool, error) { cutAt.Store(&m); return true, nil })
	cut = pool.Register("cut", func(_ context.Context, b pool.Lent) ([]byte, error) {
		return b[cutAt.Load().First:cutAt.Load().Last], nil
	})
)

// A part of a lent argument goes back without a copy, when it is large; which parts are is the parent's to work out
// again.
func TestAPartOfALentArgumentComesBackWhole(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	const size = 1 << 20
	arg := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(arg)
	before := bytes.Clone(arg)
	for _, m := range []middle{
		{0, size},
		{0, size - 1},
		{1, size},
		{5, size / 2},
		{size / 2, size},
		{7, 7 + 64<<10},
		{7, 7 + 64<<10 - 1},
		{9, 9},
		{0, 70_000},
	} {
		g.Expect(setCut.Call(bound(t), p, m)).To(BeTrue())
		for range 2 {
			back, err := cut.Call(bound(t), p, arg)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(bytes.Equal(back, arg[m.First:m.Last])).To(BeTrue(), "%v", m)
			clear(back)
		}
	}
	g.Expect(bytes.Equal(arg, before)).To(BeTrue())
	g.Expect(p.Stats().Rejected).To(BeZero())
}

// raw takes its own encoding and, against the rule, does not copy it.
type raw struct{ encoding []byte }

func (r *raw) UnmarshalCBOR(data []byte) error { r.encoding = data; return nil }
func (r raw) MarshalCBOR() ([]byte, error)     { return r.encoding, nil }

var encodingOf = pool.Register("encoding-of", func(_ context.Context, r raw) ([]byte, error) { return r.encoding, nil })

// Before the bytes of a part its head is written: for the very first bytes of an argument there is no room.
func TestAPartWithoutRoomForItsHeadIsCopied(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	encoding, err := pool.CBOR.Append(nil, &[][]byte{bytes.Repeat([]byte{7}, 100_000)})
	g.Expect(err).NotTo(HaveOccurred())
	back, err := encodingOf.Call(bound(t), p, raw{encoding})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(bytes.Equal(back, encoding)).To(BeTrue())
	g.Expect(p.Stats().Rejected).To(BeZero())
}

func TestACancelledCallGivesItsLargeArgumentBack(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	arg := make([]byte, 8<<20)
	for range 8 { // cancelled at a different moment of the copying each time; the race detector looks on
		ctx, cancel := context.WithCancel(t.Context())
		before := echo.Submit(bound(t), p, make([]byte, 1<<20)) // has the arena
		go func() { <-before.Done(); cancel() }()               // while its answer's receiver copies the next argument
		_, _ = echo.Call(ctx, p, arg)
		arg[0]++ // it is its owner's again
	}
	g.Expect(echo.Call(bound(t), p, []byte("still here"))).To(Equal([]byte("still here")))
}
