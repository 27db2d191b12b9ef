package pool_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/pool"
)

// The descriptors that a worker inherits, the frames it may send, and where its scoreboard has what: all as in the
// package, written here again because a hostile worker knows them too.
const (
	fdTasks, fdControl, fdPage, fdDown, fdUp = 3, 4, 5, 6, 7

	kindHello, kindTask, kindReady, kindBootFailed, kindValue, kindError, kindGoodbye = 1, 2, 3, 4, 5, 6, 10

	atPong, atCrash, atConsumed, atClaims, claims = 64, 192, 256, 320, 1024
)

// wire makes a frame.
func wire(kind, flags byte, id uint64, seq uint32, payload string) []byte {
	var b [32]byte
	binary.LittleEndian.PutUint32(b[0:], uint32(len(payload)))
	b[4], b[5] = kind, flags
	binary.LittleEndian.PutUint64(b[8:], id)
	binary.LittleEndian.PutUint32(b[16:], seq)
	return append(b[:], payload...)
}

func post(frames ...[]byte) {
	for _, b := range frames {
		for len(b) > 0 {
			n, err := unix.Write(fdTasks, b)
			if err != nil {
				return
			}
			b = b[n:]
		}
	}
}

func reference(offset, size uint64) string {
	return string(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, offset), size))
}

// mapped is the worker's own view of its scoreboard.
func mapped() (word func(off int) *atomic.Uint64) {
	mem, err := unix.Mmap(fdPage, 0, atClaims+8*claims, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	return func(off int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&mem[off])) }
}

// crimes are what a worker does to its host while it runs the task with that id, as its seq-th one. It has committed
// them all when it returns; most of those that the host takes for an offence end the worker before.
var crimes = map[string]func(id uint64, seq uint32){
	"garbage": func(uint64, uint32) {
		post([]byte("this is not a frame, nor will it ever be one; it is long enough"))
	},
	"a frame of 4 GiB":    func(uint64, uint32) { b := wire(kindValue, 0, 1, 1, ""); b[3] = 0xff; post(b) },
	"a foreign id":        func(id uint64, seq uint32) { post(wire(kindValue, 0, id-1, seq, "\x07")) },
	"an unknown number":   func(id uint64, seq uint32) { post(wire(kindValue, 0, id, seq+77, "\x07")) },
	"a number far away":   func(id uint64, seq uint32) { post(wire(kindValue, 0, id, seq+1<<31, "\x07")) },
	"hello":               func(uint64, uint32) { post(wire(kindHello, 0, 0, 0, "")) },
	"a task for the host": func(id uint64, seq uint32) { post(wire(kindTask, 0, id, seq, "\x07")) },
	"ready again":         func(uint64, uint32) { post(wire(kindReady, 0, 1, 1, "")) },
	"boot failed":         func(uint64, uint32) { post(wire(kindBootFailed, 0, 0, 0, "\xa0")) },
	"goodbye twice": func(uint64, uint32) {
		post(wire(kindGoodbye, 0, 0, 0, ""), wire(kindGoodbye, 0, 0, 0, ""))
	},
	"a key beyond its end": func(id uint64, seq uint32) {
		b := wire(kindValue, 0, id, seq, "\x07")
		b[22] = 9
		post(b)
	},
	"a flood of frames": func(id uint64, seq uint32) {
		for {
			post(wire(kindValue, 0, id, seq+99, "\x07"))
		}
	},
	"a flood on stderr": func(uint64, uint32) {
		line := make([]byte, 1<<20)
		for range 16 {
			os.Stderr.Write(line)
		}
		post(wire(kindHello, 0, 0, 0, ""))
	},
	"its control socket filled, its task socket closed": func(uint64, uint32) {
		_ = unix.SetNonblock(fdControl, true)
		for {
			if _, err := unix.Write(fdControl, make([]byte, 1<<16)); err != nil {
				break
			}
		}
		unix.Close(fdTasks)
		select {}
	},
	"lies in the scoreboard": func(uint64, uint32) {
		word := mapped()
		word(atPong).Store(1 << 40)
		word(atConsumed).Store(1 << 50)
		for i := range claims {
			word(atClaims + 8*i).Store(^uint64(0) - uint64(i))
		}
		word(0).Store(uint64(12345)<<8 | 3) // running a task that is not there
		unix.Kill(os.Getpid(), unix.SIGKILL)
	},
	"holes in the shared memory": func(uint64, uint32) {
		for _, fd := range []int{fdPage, fdDown, fdUp} {
			_ = unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 1<<20)
		}
		post([]byte("and then some garbage, so that this is an offence of its own"))
	},
}

// misbehave commits a crime on its first attempt.
var misbehave = pool.Register("misbehave", func(ctx context.Context, crime string) (int, error) {
	if pool.Attempt(ctx) == 1 {
		crimes[crime](pool.TaskID(ctx), uint32(mapped()(0).Load()>>8))
		<-time.After(time.Minute)
	}
	return 42, nil
})

func TestAHostileWorkerHurtsOnlyItself(t *testing.T) {
	long(t)
	for crime := range crimes {
		t.Run(crime, func(t *testing.T) {
			g, p := NewWithT(t), start(t, pool.Config{Size: 2, Heartbeat: 2 * time.Second})
			whole(t, p)
			before, gate := pids(p), closedGate(t)
			bystander := gated.Submit(bound(t), p, gate, pool.OnSlot(1))
			inPhase(t, p, 1, pool.PhaseRunning)

			f := misbehave.Submit(bound(t), p, crime)
			g.Expect(f.Result(bound(t))).To(Equal(42), "the task is run again elsewhere")
			g.Expect(f.Outcome().Attempts).To(Equal(2))
			g.Expect(f.Outcome().Exits).To(HaveLen(1), "and its worker's end is on its account")
			g.Expect(f.Outcome().Exits[0].PID).To(Equal(before[0]))
			if f.Outcome().Exits[0].Reason == pool.ReasonProtocol &&
				crime != "its control socket filled, its task socket closed" {
				g.Expect(p.Stats().Rejected).To(BeNumerically(">=", 1))
			}

			open(t, gate)
			v, err := bystander.Result(bound(t))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(v.Attempt).To(Equal(1))
			g.Expect(v.PID).To(Equal(before[1]))
			whole(t, p)
			s := p.Stats()
			g.Expect(s.Submitted).To(Equal(s.Settled))
			g.Expect(s.OK).To(Equal(s.Settled))
			g.Expect(s.Ready).To(Equal(2))
		})
	}
}

func TestASharedSegmentCannotBeResizedOrWrittenAgainstTheHostsWill(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	g.Expect(vandalise.Call(bound(t), p, 0)).To(Equal([]string{}), "what succeeded")
	g.Expect(echo.Call(bound(t), p, make([]byte, 1<<20))).To(HaveLen(1 << 20))
	whole(t, p)
}

// vandalise tries what would kill the host with SIGBUS or change what it sent, and returns what was let through.
var vandalise = pool.Register("vandalise", func(context.Context, int) ([]string, error) {
	let := []string{}
	try := func(what string, fd int, err error) {
		if err == nil {
			let = append(let, fmt.Sprintf("%s of %d", what, fd))
		}
	}
	for _, fd := range []int{fdPage, fdDown, fdUp} {
		try("shrink", fd, unix.Ftruncate(fd, 0))
		try("grow", fd, unix.Ftruncate(fd, 4<<30))
		_, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE)
		try("seal", fd, err)
	}
	mem, err := unix.Mmap(fdDown, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	try("map for writing", fdDown, err)
	if err == nil {
		_ = unix.Munmap(mem)
	}
	_, err = unix.Pwrite(fdDown, []byte("x"), 0)
	try("write", fdDown, err)
	return let, nil
})

// largeArgument is so long that it goes by the arena, with a head of five bytes.
const largeArgument = 100_000

// treason is answered for by the traitor's own result, so it settles at once: with what, is its own affair.
var treason = pool.Register("treason", func(ctx context.Context, how string) (int, error) {
	id, word := pool.TaskID(ctx), mapped()
	seq := uint32(word(0).Load() >> 8)
	switch how, _, _ := strings.Cut(how, "|"); how {
	case "a part of a small argument":
		post(wire(kindValue, 3, id, seq, reference(5, 1)))
	case "a part beyond the argument":
		post(wire(kindValue, 3, id, seq, reference(6, largeArgument)))
	case "a part that begins in its head":
		post(wire(kindValue, 3, id, seq, reference(4, largeArgument)))
	case "a part that wraps around":
		post(wire(kindValue, 3, id, seq, reference(^uint64(0)-7, 16)))
	case "twice":
		post(wire(kindValue, 0, id, seq, "\x18\x2a"), wire(kindValue, 0, id, seq, "\x07"))
	case "outside the arena":
		post(wire(kindValue, 1, id, seq, reference(1<<62, 1<<62)))
	case "wrapping around the arena":
		post(wire(kindValue, 1, id, seq, reference(^uint64(0)-7, 16)))
	case "a reference that is none":
		post(wire(kindValue, 1, id, seq, "short"))
	case "no CBOR":
		post(wire(kindValue, 0, id, seq, "\xff\xff"))
	case "an error that is none":
		post(wire(kindError, 0, id, seq, "\xff\xff"))
	case "a list of nothing", "a list of nothing, as a panic":
		kind := map[bool]byte{true: kindError, false: kindError + 1}[how == "a list of nothing"]
		post(wire(kind, 1, id, seq, reference(0, nothing(700_000_000))))
	case "a short list of nothing":
		list := append([]byte{0xa1, 0x61, 'k', 0x9a, 0, 0x20, 0, 0}, bytes.Repeat([]byte{0xf6}, 0x200000)...)
		post(wire(kindError, 0, id, seq, string(list)))
	case "the next one, unstarted":
		post(wire(kindValue, 0, id+1, seq+1, "\x07"))
	}
	<-time.After(time.Minute)
	return 0, nil
})

// nothing puts a map into the arena whose only value is an array of so many nulls, and returns its size.
func nothing(n int) uint64 {
	mem, err := unix.Mmap(fdUp, 0, n+8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		panic(err)
	}
	head := binary.BigEndian.AppendUint32([]byte{0xa1, 0x61, 'k', 0x9a}, uint32(n))
	copy(mem, head)
	for i := len(head); i < len(head)+n; i++ {
		mem[i] = 0xf6
	}
	return uint64(len(head) + n)
}

// What a worker says of a failure is decoded in the host: forty bytes for each element of such a list.
func TestAFailureFromAWorkerTakesNoMoreMemoryThanAMultipleOfItsSize(t *testing.T) {
	long(t)
	for _, how := range []string{"a list of nothing", "a list of nothing, as a panic", "a short list of nothing"} {
		if raceEnabled && how != "a short list of nothing" {
			continue // each byte takes ten times as long
		}
		g, p := NewWithT(t), start(t, pool.Config{Size: 1, Heartbeat: -1})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := treason.Call(bound(t), p, how)
		runtime.ReadMemStats(&after)
		g.Expect(err).To(BeAssignableToTypeOf(&pool.EncodeError{}), how)
		g.Expect(after.TotalAlloc-before.TotalAlloc).To(BeNumerically("<", 64<<20), how)
		if how == "a short list of nothing" {
			kill(t, pids(p)[0], 9) // it still sleeps
		}
		whole(t, p)
	}
}

// burdens is an initializer that tells of its failure in a list of nothing.
var burdens = pool.RegisterInit("burdens", func(_ context.Context, how string) error {
	if how == "by shared memory" {
		post(wire(kindBootFailed, 1, 0, 0, reference(0, nothing(4_000_000))))
	} else {
		list := append([]byte{0xa1, 0x61, 'k', 0x9a, 0, 0x20, 0, 0}, bytes.Repeat([]byte{0xf6}, 0x200000)...)
		post(wire(kindBootFailed, 0, 0, 0, string(list)))
	}
	<-time.After(time.Minute)
	return nil
})

func TestABootFailureFromAWorkerTakesNoMoreMemoryThanAMultipleOfItsSize(t *testing.T) {
	for _, how := range []string{"in its frame", "by shared memory"} {
		g := NewWithT(t)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := pool.New(bound(t), pool.Config{
			Size: 1, Initializer: burdens.With(how), Backoff: pool.Backoff{Threshold: 1, Base: time.Millisecond},
		})
		runtime.ReadMemStats(&after)
		g.Expect(err).To(MatchError(pool.ErrCrashLoop), how)
		g.Expect(err).To(MatchError(ContainSubstring("boot failure: ")), how)
		g.Expect(after.TotalAlloc-before.TotalAlloc).To(BeNumerically("<", 64<<20), how)
	}
}

func TestACorruptResultFailsThatTaskAndRecyclesThatWorker(t *testing.T) {
	large := func(how string) string { return how + "|" + strings.Repeat(" ", largeArgument-len(how)-1) }
	for _, how := range []string{
		"outside the arena", "wrapping around the arena", "a reference that is none", "a part of a small argument",
		large("a part beyond the argument"), large("a part that begins in its head"), large("a part that wraps around"),
	} {
		g, p := NewWithT(t), start(t, pool.Config{Size: 2})
		before := pids(p)
		_, err := treason.Call(bound(t), p, how, pool.OnSlot(0))
		var enc *pool.EncodeError
		g.Expect(err).To(BeAssignableToTypeOf(enc), how)
		g.Expect(err).To(MatchError(ContainSubstring("outside the arena")))
		whole(t, p)
		g.Expect(pids(p)[0]).NotTo(Equal(before[0]))
		g.Expect(pids(p)[1]).To(Equal(before[1]))
		g.Expect(p.Workers()[0].LastExit.Reason).To(Equal(pool.ReasonProtocol))
		g.Expect(p.Stats().Rejected).To(BeEquivalentTo(1))
	}
}

func TestAResultThatCannotBeDecodedFailsThatTaskOnly(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Heartbeat: -1})
	for _, how := range []string{"no CBOR", "an error that is none"} {
		_, err := treason.Call(bound(t), p, how)
		var enc *pool.EncodeError
		g.Expect(err).To(BeAssignableToTypeOf(enc), how)
		kill(t, pids(p)[0], 9) // it still sleeps
		whole(t, p)
	}
}

func TestASecondResultIsDroppedCountedAndRecyclesTheWorker(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1})
	events := p.Subscribe(100)
	f := treason.Submit(bound(t), p, "twice")
	g.Expect(f.Result(bound(t))).To(Equal(42), "the first one counts")
	e, _ := next(t, events, pool.FrameRejected)
	g.Expect(e.Err).To(MatchError(ContainSubstring("which is not there")))
	e, _ = next(t, events, pool.WorkerExited)
	g.Expect(e.Exit.Reason).To(Equal(pool.ReasonProtocol))
	g.Expect(f.Result(bound(t))).To(Equal(42))
	g.Expect(p.Stats().Rejected).To(BeEquivalentTo(1))
	whole(t, p)
}

func TestAResultForATaskThatWasNotStartedIsRejected(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Budgets: pool.Budgets{Crashes: 1}})
	for round := 0; p.Stats().Rejected < 3; round++ { // with tasks sent ahead, and with none there
		g.Expect(round).To(BeNumerically("<", 20))
		var futures []*pool.Future[int]
		for i := range 500 {
			futures = append(futures, square.Submit(bound(t), p, i))
		}
		traitor := treason.Submit(bound(t), p, "the next one, unstarted")
		for i := range 500 {
			futures = append(futures, square.Submit(bound(t), p, i))
		}
		_, err := traitor.Result(bound(t))
		g.Expect(err).To(BeAssignableToTypeOf(&pool.WorkerLostError{}))
		for i, f := range futures {
			g.Expect(f.Result(bound(t))).To(Equal(i % 500 * (i % 500)))
		}
	}
	whole(t, p)
}

// babbles is an initializer whose worker sends garbage as soon as it is ready, whatever it is asked.
var babbles = pool.RegisterInit("babbles", func(context.Context, int) error {
	word := mapped()
	go func() {
		for pool.Phase(word(0).Load()&0xff) != pool.PhaseIdle {
			runtime.Gosched()
		}
		post([]byte("this is not a frame, nor will it ever be one; it is long enough"))
	}()
	return nil
})

func TestWorkersThatSendGarbageAsSoonAsTheyAreReadyOpenTheBreaker(t *testing.T) {
	g := NewWithT(t)
	cfg := pool.Config{
		Size: 1, Initializer: babbles.With(0), Backoff: pool.Backoff{Threshold: 4, Base: 10 * time.Millisecond},
	}
	p, err := pool.New(bound(t), cfg)
	if err != nil { // all of them were that quick
		g.Expect(err).To(MatchError(pool.ErrCrashLoop))
		return
	}
	t.Cleanup(p.Terminate)
	e, _ := next(t, p.Subscribe(1000), pool.BreakerOpened)
	g.Expect(e.Err).To(MatchError(ContainSubstring("not a frame")))
}

// deafens is an initializer whose worker hangs once it is ready: it hears nothing of what it is told.
var deafens = pool.RegisterInit("deafens", func(context.Context, int) error {
	const control = 4
	_, _ = unix.Dup(control) // so that the host sees no end of it
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	return unix.Dup3(fds[0], control, unix.O_CLOEXEC)
})

// With a heartbeat of a second or more such a worker has stayed up for long enough to count as one that did.
func TestWorkersThatHangAsSoonAsTheyAreReadyOpenTheBreaker(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	p, err := pool.New(bound(t), pool.Config{
		Size: 1, Heartbeat: 100 * time.Millisecond, Initializer: deafens.With(0),
		Backoff: pool.Backoff{Threshold: 4, Base: 10 * time.Millisecond},
	})
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(p.Terminate)
	e, _ := next(t, p.Subscribe(1000), pool.BreakerOpened)
	g.Expect(e.Err).To(MatchError(And(ContainSubstring("died right after it was ready"), ContainSubstring("stall"))))
}

// heavy answers with little that would be much.
var heavy = pool.Register("heavy", func(ctx context.Context, size int) ([]any, error) {
	n := nothing(size) // a map of it, which is no []any: only its list is meant
	post(wire(kindValue, 1, pool.TaskID(ctx), uint32(mapped()(0).Load()>>8), reference(3, n-3)))
	select {}
})

func TestAResultThatWouldTakeManyTimesItsSizeFailsItsTaskAndNotTheHost(t *testing.T) {
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Heartbeat: -1})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := heavy.Call(bound(t), p, 64<<20)
	runtime.ReadMemStats(&after)
	g.Expect(err).To(BeAssignableToTypeOf(&pool.EncodeError{}))
	g.Expect(err).To(MatchError(
		ContainSubstring("67108869 bytes would take more than 8 times that, and 256 MiB, as []interface {}")))
	g.Expect(after.TotalAlloc-before.TotalAlloc).To(BeNumerically("<", 256<<20), "the bytes, and no list of them")
	kill(t, pids(p)[0], 9)
	whole(t, p)
}

// swallow answers nothing, though its worker lives on and runs nothing or is long done with what it said.
var swallow = pool.Register("swallow", func(ctx context.Context, how string) (int, error) {
	if pool.Attempt(ctx) > 1 {
		return 42, nil
	}
	foreign := func() (near, far int) {
		_, _ = unix.Dup(fdTasks) // so that the host sees no end of it
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			panic(err)
		}
		return fds[0], fds[1]
	}
	switch how {
	case "a foreign descriptor":
		near, _ := foreign()
		return 0, unix.Dup3(near, fdTasks, unix.O_CLOEXEC)
	case "a foreign descriptor that is full":
		near, _ := foreign()
		_ = unix.SetNonblock(near, true)
		for {
			if _, err := unix.Write(near, make([]byte, 1<<12)); err != nil {
				break
			}
		}
		_ = unix.SetNonblock(near, false)
		return 0, unix.Dup3(near, fdTasks, unix.O_CLOEXEC)
	case "stray bytes before its answer": // the head of a frame that is never whole
		post([]byte{0, 0, 0x10, 0, kindValue, 0, 0, 0})
	case "stray bytes while it runs":
		post([]byte{0, 0, 0x10})
		select {}
	}
	return 0, nil
})

func TestAnAnswerThatIsSwallowedIsNoticedThoughItsWorkerLives(t *testing.T) {
	beside(t)
	for _, heartbeat := range []time.Duration{-1, 200 * time.Millisecond} {
		for _, how := range []string{
			"a foreign descriptor", "a foreign descriptor that is full", "stray bytes before its answer",
			"stray bytes while it runs",
		} {
			t.Run(fmt.Sprintf("%s, heartbeat %v", how, heartbeat), func(t *testing.T) {
				t.Parallel()
				g, p := NewWithT(t), start(t, pool.Config{Size: 1, Heartbeat: heartbeat, MaxPayload: 100 * pool.MiB})
				f := swallow.Submit(bound(t), p, how)
				g.Expect(f.Result(bound(t))).To(Equal(42))
				g.Expect(f.Outcome().Exits).To(ConsistOf(HaveField("Reason", pool.ReasonProtocol)))
				g.Expect(p.Stats().Rejected).To(BeEquivalentTo(1))
				whole(t, p)
			})
		}
	}
}

// One that owes an answer, and is stopped after it has shown that it lives, is not said to send what no worker should.
func TestAWorkerThatIsStoppedWhileItOwesAnAnswerIsStalled(t *testing.T) {
	takes.Seconds(t)
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Heartbeat: 2 * time.Second})
	f := swallow.Submit(bound(t), p, "a foreign descriptor")
	g.Eventually(p.OwesAndLives).WithTimeout(patience).WithPolling(time.Millisecond).Should(BeTrue())
	kill(t, p.Workers()[0].PID, unix.SIGSTOP)
	g.Expect(f.Result(bound(t))).To(Equal(42))
	g.Expect(f.Outcome().Exits).To(ConsistOf(HaveField("Reason", pool.ReasonStall)))
	g.Expect(p.Stats().Rejected).To(BeZero())
	whole(t, p)
}

var closesFrom3 = pool.Register("closes-from-3", func(_ context.Context, _ int) (int, error) {
	if err := unix.CloseRange(3, 1<<16, 0); err != nil {
		return 0, err
	}
	select {}
})

// What it closes are the worker's sockets, which is a crash of its own and nobody's kill.
func TestAHandlerThatClosesTheWorkersDescriptorsIsChargedWithACrash(t *testing.T) {
	beside(t)
	g, p := NewWithT(t), start(t, pool.Config{Size: 1, Heartbeat: 300 * time.Millisecond})
	_, err := closesFrom3.Call(bound(t), p, 0)
	var lost *pool.WorkerLostError
	g.Expect(errors.As(err, &lost)).To(BeTrue(), "%v", err)
	g.Expect(lost.Attempts).To(Equal(3))
	whole(t, p)
}
