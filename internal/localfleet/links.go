package localfleet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// links are the ways by which the members, and the owner, reach the brokers. What one of them sends and is sent can be
// held up.
type links struct {
	all []*link

	mu   sync.Mutex
	harm map[string]*harm // by the member
}

// harm is what is done to all that one member sends and is sent.
type harm struct {
	held  chan struct{} // closed when it goes on; nil: it is only late
	delay time.Duration
	bytes int64 // that were held up
}

// link is a way to a broker, by a port of its own.
type link struct {
	of       *links
	from, to string // from is "" for brokers, of whom each says who it is
	listener net.Listener
	target   string // the broker's own address

	mu    sync.Mutex
	conns map[net.Conn]bool
	over  bool
}

func (s *links) add(from, to string, port int) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	l := &link{
		of: s, from: from, to: to, listener: listener, target: fmt.Sprintf("127.0.0.1:%d", port),
		conns: map[net.Conn]bool{},
	}
	s.all = append(s.all, l)
	go l.accept()
	return nil
}

func (l *link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		go l.join(near)
	}
}

// joined is who is at both ends of a connection.
type joined struct {
	from atomic.Pointer[string]
	to   string
}

// join connects one side with the other, until either ends.
func (l *link) join(near net.Conn) {
	if !l.keep(near) {
		return
	}
	defer l.drop(near)
	j := &joined{to: l.to}
	j.from.Store(&l.from)
	l.of.pass(j, 0)
	far, err := net.Dial("tcp", l.target)
	if err != nil || !l.keep(far) {
		return
	}
	defer l.drop(far)
	back := make(chan struct{})
	go func() {
		l.copy(near, far, j, false)
		l.drop(near)
		close(back)
	}()
	l.copy(far, near, j, l.from == "")
	l.drop(far)
	<-back
}

// greeting is how a broker that connects to another says who it is.
var greeting = regexp.MustCompile(`"name":"(broker-\d+)"`)

// copy passes on what comes, and the end too once nothing is held up.
func (l *link) copy(to, from net.Conn, j *joined, greets bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if greets {
			if m := greeting.FindSubmatch(buf[:n]); m != nil {
				name := string(m[1])
				j.from.Store(&name)
				greets = false
			}
		}
		l.of.pass(j, n)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits as long as what comes between these two is held up.
func (s *links) pass(j *joined, n int) {
	for _, name := range []string{*j.from.Load(), j.to} {
		s.mu.Lock()
		h := s.harm[name]
		if h != nil {
			h.bytes += int64(n)
		}
		s.mu.Unlock()
		switch {
		case h == nil:
		case h.held != nil:
			<-h.held
		default:
			time.Sleep(h.delay)
		}
	}
}

func (l *link) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		_ = c.Close()
		return false
	}
	l.conns[c] = true
	return true
}

func (l *link) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = c.Close()
	delete(l.conns, c)
}

func (s *links) close() {
	s.mu.Lock()
	for name, h := range s.harm {
		h.end()
		delete(s.harm, name)
	}
	s.mu.Unlock()
	for _, l := range s.all {
		_ = l.listener.Close()
		l.mu.Lock()
		l.over = true
		for c := range l.conns {
			_ = c.Close()
		}
		l.mu.Unlock()
	}
}

func (h *harm) end() {
	if h.held != nil {
		close(h.held)
	}
}

// connect makes the links of a fleet whose brokers listen at these ports: each node, and each owner, has one of its own
// to each broker, and the brokers have one to each of them.
func (f *Fleet) connect(client, routes []int) error {
	f.links.harm = map[string]*harm{}
	var errs []error
	for i := range client {
		errs = append(errs, f.links.add(Owner, brokerName(i), client[i]))
		for n := range f.cfg.Nodes {
			errs = append(errs, f.links.add(nodeName(n), brokerName(i), client[i]))
		}
		for n := range f.cfg.Owners {
			errs = append(errs, f.links.add(ownerName(n), brokerName(i), client[i]))
		}
		if len(client) > 1 {
			errs = append(errs, f.links.add("", brokerName(i), routes[i]))
		}
	}
	return errors.Join(errs...)
}

// way is the address by which a node, the owner or, with "", a broker reaches a broker; that one's own without links.
func (f *Fleet) way(from, to, own string) string {
	for _, l := range f.links.all {
		if l.from == from && l.to == to {
			return l.listener.Addr().String()
		}
	}
	return own
}

// ErrNoLinks is returned by Cut and Slow for a fleet without Config.Links.
var ErrNoLinks = errors.New("the processes of this fleet are connected directly: Config.Links")

// Cut holds up all that a member, or Owner, and the others send to each other, until Mend; their connections stay open.
func (f *Fleet) Cut(name string) error { return f.links.hamper(name, &harm{held: make(chan struct{})}) }

// Slow makes all that comes or goes there late, until Mend.
func (f *Fleet) Slow(name string, by time.Duration) error {
	return f.links.hamper(name, &harm{delay: by})
}

func (s *links) hamper(name string, h *harm) error {
	if len(s.all) == 0 {
		return ErrNoLinks
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.harm[name] != nil {
		return fmt.Errorf("the links of %s are harmed already", name)
	}
	s.harm[name] = h
	return nil
}

// Mend lets everything go that is held up there, and tells how many bytes were.
func (f *Fleet) Mend(name string) int64 {
	s := &f.links
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.harm[name]
	if h == nil {
		return 0
	}
	delete(s.harm, name)
	h.end()
	return h.bytes
}

// gossip writes the server's configuration of a broker that tells the others of its link in place of its own address,
// and clients of none.
func (f *Fleet) gossip(name string) (path string, err error) {
	path = filepath.Join(f.dir, name+".conf")
	text := fmt.Sprintf("cluster {\n  no_advertise: true\n  advertise: %q\n}\n", f.way("", name, ""))
	return path, os.WriteFile(path, []byte(text), 0o600)
}
