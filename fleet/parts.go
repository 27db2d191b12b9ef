package fleet

import (
	"slices"
	"time"

	"github.com/respawn-go/respawn/pool"
)

// A payload that is too large for one message stays with whoever has it: an argument with its owner, a result with its
// node. They say how large it is, and the other side asks for it part by part, so that nobody is sent more at a time
// than it has asked for.

const (
	maxPart    = 512 << 10     // bytes
	maxPayload = int(pool.GiB) // bytes of an argument or a result; a node's pool may take less
	maxGather  = 64 << 20      // bytes of payloads that are gathered at a time; one is always
	maxFlying  = 32            // parts that one process has asked for
	fromOne    = 4             // and of these from one other
	askPart    = time.Second   // until a part that has not come is asked for again; doubles up to maxAskPart
	maxAskPart = 8 * time.Second
)

// piece is a part of a large payload, or, without Data, the wish for one.
type piece struct {
	Run  uint64 `cbor:"r,omitempty"` // of a result: which of the node's runs has made it
	From int    `cbor:"f,omitempty"`
	Size int    `cbor:"s,omitempty"` // of a wish: how many bytes, at most
	Data []byte `cbor:"d,omitempty"`
}

// of cuts the piece out of a payload, of at most most bytes. It is empty if there is no such.
func (p piece) of(payload []byte, most int) *piece {
	if p.From >= 0 && p.From < len(payload) && p.Size > 0 {
		p.Data = payload[p.From:][:min(p.Size, most, len(payload)-p.From)]
	}
	p.Size = 0
	return &p
}

// gatherKey names a large payload: who has it, and which it is there.
type gatherKey struct {
	who string
	no  uint64
	run uint64
}

// gatherer gets large payloads. It knows neither clock nor network, and is not safe for concurrent use.
type gatherer struct {
	part int // bytes that are asked for at a time
	ask  func(gatherKey, piece)
	held int // bytes that were gathered and are still in use: they count against maxGather

	list   []*gathering // in the order in which they were wanted
	flying int          // parts on their way, as far as is known
	from   map[string]int
}

type gathering struct {
	gatherKey
	data []byte // made at its turn
	size int
	next int // from here on nothing has been asked for
	left int // bytes that have not come
	open []openPart
	late bool // what was asked for does not come: it keeps nobody else waiting
	done func(payload []byte)
}

type openPart struct {
	from, to int
	asked    time.Duration
	wait     time.Duration
	late     bool
}

func newGatherer(part int, ask func(gatherKey, piece)) *gatherer {
	return &gatherer{part: part, ask: ask, from: make(map[string]int)}
}

// want gets a payload, and calls done when it is there. What is wanted already is not wanted twice.
func (g *gatherer) want(now time.Duration, k gatherKey, size int, done func([]byte)) {
	if g.find(k) == nil {
		g.list = append(g.list, &gathering{gatherKey: k, size: size, left: size, done: done})
		g.pump(now)
	}
}

func (g *gatherer) find(k gatherKey) *gathering {
	for _, one := range g.list {
		if one.gatherKey == k {
			return one
		}
	}
	return nil
}

// pump asks for what there is room for.
func (g *gatherer) pump(now time.Duration) {
	room := maxGather - g.held
	first := g.held == 0
	for _, one := range g.list {
		if !one.late {
			if room -= one.size; room < 0 && !first {
				return
			}
			first = false
		}
		for one.next < one.size && g.flying < maxFlying && g.from[one.who] < fromOne {
			if one.data == nil {
				one.data = make([]byte, one.size)
			}
			p := openPart{from: one.next, to: min(one.next+g.part, one.size), asked: now, wait: askPart}
			one.open = append(one.open, p)
			one.next = p.to
			g.flying++
			g.from[one.who]++
			g.ask(one.gatherKey, piece{Run: one.run, From: p.from, Size: p.to - p.from})
		}
	}
}

// landed counts a part that is not on its way any more.
func (g *gatherer) landed(one *gathering, p openPart) {
	if !p.late {
		g.flying--
	}
	if g.from[one.who]--; g.from[one.who] == 0 {
		delete(g.from, one.who)
	}
}

// come takes a part. An empty one says that the payload is not there any more.
func (g *gatherer) come(now time.Duration, k gatherKey, p *piece) {
	one := g.find(k)
	if one == nil {
		return
	}
	if len(p.Data) == 0 {
		g.drop(now, func(o gatherKey) bool { return o == k })
		return
	}
	i := slices.IndexFunc(one.open, func(o openPart) bool { return o.from == p.From })
	if i < 0 { // it came before
		return
	}
	o := &one.open[i]
	n := copy(one.data[o.from:o.to], p.Data)
	one.left -= n
	one.late = false
	if o.from += n; o.from < o.to { // the other carries less at a time
		o.asked = now
		g.ask(k, piece{Run: one.run, From: o.from, Size: o.to - o.from})
		return
	}
	g.landed(one, *o)
	one.open = slices.Delete(one.open, i, i+1)
	if one.left == 0 {
		g.list = slices.DeleteFunc(g.list, func(l *gathering) bool { return l == one })
		one.done(one.data)
	}
	g.pump(now)
}

// drop gives up what is not wanted any more.
func (g *gatherer) drop(now time.Duration, which func(gatherKey) bool) {
	had := len(g.list)
	g.list = slices.DeleteFunc(g.list, func(one *gathering) bool {
		if !which(one.gatherKey) {
			return false
		}
		for _, p := range one.open {
			g.landed(one, p)
		}
		return true
	})
	if len(g.list) < had {
		g.pump(now)
	}
}

// tick asks again for what has not come. It is to be called a few times a second.
func (g *gatherer) tick(now time.Duration) {
	for _, one := range g.list {
		for i := range one.open {
			p := &one.open[i]
			if now-p.asked < p.wait {
				continue
			}
			if !p.late {
				p.late = true
				g.flying--
			}
			one.late = true
			p.asked, p.wait = now, min(2*p.wait, maxAskPart)
			g.ask(one.gatherKey, piece{Run: one.run, From: p.from, Size: p.to - p.from})
		}
	}
	g.pump(now)
}
