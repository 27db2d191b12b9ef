package poollog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

var (
	// tell logs in every way, and dies in its first attempt.
	tell = pool.Register("tell", func(ctx context.Context, begun string) (int, error) {
		slog.InfoContext(ctx, "begun", "began", begun, slog.Group("size", "width", 640), "took", 1500*time.Millisecond)
		if pool.Attempt(ctx) == 1 {
			os.Exit(3)
		}
		slog.Default().With("job", 7).WithGroup("in").WarnContext(ctx, "inside", "n", -1)
		slog.DebugContext(ctx, "not asked for")
		slog.Info("of no task", "err", errors.New("none"))
		return os.Getpid(), nil
	})

	// shout prints what it is told as it is, so many times.
	shout = pool.Register("shout", func(_ context.Context, in struct {
		Text  string
		Times int
	},
	) (int, error) {
		return in.Times, write(os.Stderr, []byte(in.Text), in.Times)
	})
)

func write(to io.Writer, b []byte, times int) error {
	for range times {
		if _, err := to.Write(b); err != nil {
			return err
		}
	}
	return nil
}

func TestMain(m *testing.M) {
	pool.Main()
	os.Exit(m.Run())
}

// kept keeps each record as a map, as JSONHandler writes it.
type kept struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (k *kept) Write(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(b)
}

func (k *kept) records(g *WithT) (all []map[string]any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := json.NewDecoder(bytes.NewReader(k.text.Bytes()))
	for d.More() {
		var m map[string]any
		g.Expect(d.Decode(&m)).To(Succeed())
		all = append(all, m)
	}
	return all
}

func start(t *testing.T, to slog.Handler) *pool.Pool {
	p, err := pool.New(t.Context(), pool.Config{Size: 1, Initializer: Initializer(slog.LevelInfo), Stderr: Lines(to)})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(p.Terminate)
	return p
}

func TestRecordsOfWorkersReachTheHostsHandler(t *testing.T) {
	g := NewWithT(t)
	var said kept
	p := start(t, slog.NewJSONHandler(&said, nil).WithAttrs([]slog.Attr{slog.String("pool", "images")}))
	first, began := p.Workers()[0], time.Now()
	pid, err := tell.Call(t.Context(), p, "now")
	g.Expect(err).NotTo(HaveOccurred())
	p.Close()
	all := said.records(g)
	for _, r := range all {
		g.Expect(r).To(HaveKeyWithValue("pool", "images"))
		at, err := time.Parse(time.RFC3339Nano, r["time"].(string))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(at).To(BeTemporally(">=", began.Truncate(0)))
		delete(r, "time")
		delete(r, "pool")
	}
	begun := func(worker string, pid, attempt int) map[string]any {
		return map[string]any{
			"level": "INFO", "msg": "begun", "worker": worker, "pid": float64(pid), "task": 1.0,
			"attempt": float64(attempt), "began": "now", "size": map[string]any{"width": 640.0}, "took": "1.5s",
		}
	}
	g.Expect(all).To(Equal([]map[string]any{
		begun("Worker-1", first.PID, 1),
		begun("Worker-2", pid, 2),
		{
			"level": "WARN", "msg": "inside", "worker": "Worker-2", "pid": float64(pid), "task": 1.0, "attempt": 2.0,
			"job": 7.0, "in": map[string]any{"n": -1.0},
		},
		{"level": "INFO", "msg": "of no task", "worker": "Worker-2", "pid": float64(pid), "err": "none"},
	}))
}

// What the two sides make of a record together is what slog wants of any handler.
func TestTheWayIsAHandlerAsSlogWantsIt(t *testing.T) {
	var said kept
	take := Lines(slog.NewJSONHandler(&said, nil))
	slogtest.Run(t, func(*testing.T) slog.Handler {
		said.text.Reset()
		return newHandler(byLine(take), nil)
	}, func(t *testing.T) map[string]any { return said.records(NewWithT(t))[0] })
}

// byLine is a pipe whose reader has whole lines.
type byLine func(worker string, line []byte)

func (f byLine) Write(b []byte) (int, error) {
	f("Worker-1", bytes.TrimSuffix(b, []byte{'\n'}))
	return len(b), nil
}

// A worker may print anything: each line is one record or several, and none is larger than a line can be.
func TestWhatIsNoRecordIsText(t *testing.T) {
	deep := `{"msg":"deep","a":` + strings.Repeat(`{"a":`, 9_000) + "1" + strings.Repeat("}", 9_001)
	for line, want := range map[string][]string{
		"hello":                              {"INFO hello"},
		"":                                   nil,
		"\r":                                 nil,
		"half\x1e{\"msg\":\"whole\"}":        {"INFO half", "INFO whole"},
		"\x1e{\"msg\":\"half":                {`INFO {"msg":"half`},
		"\x1e{\"msg\":\"a\"}\x1e":            {"INFO a"},
		"\x1e{\"msg\":\"a\"}x":               {`INFO {"msg":"a"}x`},
		"\x1e[1]":                            {"INFO [1]"},
		"\x1e{}":                             {"INFO "},
		"\x1e{\"msg\":1}":                    {"INFO  msg=1"},
		"\x1e{\"level\":\"LOUD\",\"n\":1e9}": {"INFO  n=1e+09"},
		"\x1e{\"level\":\"ERROR+1\",\"msg\":\"a\",\"msg\":\"b\"}": {"ERROR+1 a msg=b"},
		"\x1e{\"n\":1e999,\"u\":18446744073709551615,\"l\":[1,{}],\"z\":null,\"t\":true,\"o\":{\"p\":1.5}}": {
			"INFO  n=1e999 u=18446744073709551615 l=[1,{}] z=<nil> t=true o.p=1.5",
		},
		"\xff\xfe": {"INFO \ufffd"},
		"\x1e" + deep: {"INFO deep " + strings.Repeat("a.", 8) + "a=" +
			strings.Repeat(`{"a":`, 8_992) + "1" + strings.Repeat("}", 8_992)},
		"\x1e" + strings.Repeat("{", 60_000): {"INFO " + strings.Repeat("{", 60_000)},
	} {
		g := NewWithT(t)
		var got []string
		Lines(plainly(func(s string) { got = append(got, s) }))("Worker-1", []byte(line))
		g.Expect(got).To(Equal(want), "%.100q", line)
	}
}

// plainly is a handler that tells a record in a line.
type plainly func(string)

func (plainly) Enabled(context.Context, slog.Level) bool { return true }
func (f plainly) WithAttrs([]slog.Attr) slog.Handler     { return f }
func (f plainly) WithGroup(string) slog.Handler          { return f }
func (f plainly) Handle(_ context.Context, r slog.Record) error {
	text := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "worker" {
			text += " " + plain("", a)
		}
		return true
	})
	f(text)
	return nil
}

func plain(in string, a slog.Attr) string {
	if a.Value.Kind() != slog.KindGroup {
		return in + a.Key + "=" + a.Value.String()
	}
	var all []string
	for _, b := range a.Value.Group() {
		all = append(all, plain(in+a.Key+".", b))
	}
	return strings.Join(all, " ")
}

func TestARecordThatIsTooLargeKeepsItsBeginning(t *testing.T) {
	g := NewWithT(t)
	var said kept
	log := slog.New(newHandler(byLine(Lines(slog.NewJSONHandler(&said, nil))), nil)).With("all", "of it").WithGroup("g")
	log.Error(strings.Repeat("m", 10_000), "much", strings.Repeat("\x00", 100_000))
	r := said.records(g)[0]
	g.Expect(r["msg"]).To(Equal(strings.Repeat("m", maxMessage)))
	g.Expect(r["cut"]).To(BeNumerically(">", 600_000))
	g.Expect(r["level"]).To(Equal("ERROR"))
	g.Expect(r).NotTo(Or(HaveKey("all"), HaveKey("g")))
}

// A worker that floods, with no end of a line or with nothing but ends, costs its own time: the pool goes on, no record
// is larger than a piece of a line, and what it logs afterwards arrives.
func TestAFloodIsBounded(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	var most, bytes int
	var last string
	p := start(t, plainly(func(s string) { most, bytes, last = max(most, len(s)), bytes+len(s), s }))
	type in = struct {
		Text  string
		Times int
	}
	for _, flood := range []in{
		{strings.Repeat("x", 1<<20), 8},
		{strings.Repeat("\n", 1<<20), 8},
		{strings.Repeat("\x1e{", 1<<16), 1},
		{"\x1e{\"msg\":\"" + strings.Repeat("x", 1<<20) + "\"}\n", 8},
		{"\n\x1e{\"msg\":\"last\"}\n", 1},
	} {
		g.Expect(shout.Call(t.Context(), p, flood)).To(Equal(flood.Times), "%.10q", flood.Text)
	}
	p.Close()
	g.Expect(last).To(Equal("INFO last"))
	g.Expect(most).To(BeNumerically("<=", 64<<10+len("INFO ")))
	g.Expect(bytes).To(BeNumerically(">", 16<<20))
}

// Of workers that log at once, each record arrives whole and under the name of its own.
func TestWorkersLogAtOnce(t *testing.T) {
	g := NewWithT(t)
	var mu sync.Mutex
	count := map[string]int{}
	p, err := pool.New(t.Context(), pool.Config{Size: 4, Stderr: Lines(plainly(func(s string) {
		mu.Lock()
		defer mu.Unlock()
		count[s]++
	}))})
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Terminate()
	type in = struct {
		Text  string
		Times int
	}
	tasks := make([]in, 8)
	for i := range tasks {
		tasks[i] = in{fmt.Sprintf("\x1e{\"msg\":\"%d%s\"}\n", i, strings.Repeat("y", 5000)), 100}
	}
	_, err = shout.Map(t.Context(), p, tasks)
	g.Expect(err).NotTo(HaveOccurred())
	p.Close()
	mu.Lock()
	defer mu.Unlock()
	g.Expect(count).To(HaveLen(8))
	for _, n := range count {
		g.Expect(n).To(Equal(100))
	}
}
