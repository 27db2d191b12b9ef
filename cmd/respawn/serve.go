package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/respawn-go/respawn/reports"
)

//go:embed serve.html
var servedPage []byte

//go:embed serve.js
var servedScript []byte

// anyPort is where pages are served if nothing else was asked for.
const anyPort = "127.0.0.1:0"

// spectators serves the report of the run that is going on to browsers. It reads the history file as anybody could, and
// nothing of the run waits for it. Pages are made while somebody watches, and for a fiftieth of the time at most; each
// event is counted once.
type spectators struct {
	server *http.Server
	name   string // the host that was asked for
	url    string
	stop   chan struct{}
	done   chan struct{}

	mu      sync.Mutex
	history string // of the run that is shown, "" before the first
	page    []byte
	over    bool
	news    chan struct{} // closed when there is another page
	watched int           // browsers
}

const (
	lookEvery = time.Second
	dutyShare = 50              // a page is made again after so many times what it took
	patientIO = 5 * time.Second // for a browser that does not read
)

// serve begins at that address; without a host it is the loopback.
func serve(addr string) (*spectators, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usage("--serve is %q: want HOST:PORT, such as %s", addr, anyPort)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, usage("--serve: %w", err)
	}
	s := &spectators{
		name: host, url: "http://" + l.Addr().String() + "/", stop: make(chan struct{}), done: make(chan struct{}),
		news: make(chan struct{}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.text("text/html; charset=utf-8", servedPage))
	mux.HandleFunc("GET /serve.js", s.text("text/javascript; charset=utf-8", servedScript))
	mux.HandleFunc("GET /report", s.report)
	mux.HandleFunc("GET /events", s.events)
	s.server = &http.Server{
		Handler: s.guarded(mux), ReadHeaderTimeout: patientIO, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	go func() { _ = s.server.Serve(l) }()
	go s.look()
	return s, nil
}

// guarded lets nobody in but who asked for this host itself: pages of other origins are refused, also those whose name
// was made to lead here. An address cannot be made to lead elsewhere; a name is taken only if it is the one that was
// asked for.
func (s *spectators) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		_, notAddress := netip.ParseAddr(host)
		origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
		switch {
		case notAddress != nil && host != "localhost" && host != s.name:
			http.Error(w, "not this host: open "+s.url, http.StatusMisdirectedRequest)
		case origin != "" && origin != "http://"+r.Host,
			site != "" && site != "same-origin" && site != "none" && r.Header.Get("Sec-Fetch-Mode") != "navigate":
			http.Error(w, "other origins are refused", http.StatusForbidden)
		default:
			h := w.Header()
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Cross-Origin-Resource-Policy", "same-origin")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cache-Control", "no-store")
			h.Set("Content-Security-Policy", "frame-ancestors 'self'")
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patientIO))
			next.ServeHTTP(w, r)
		}
	})
}

func (s *spectators) text(kind string, text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(text)
	}
}

func (s *spectators) report(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	page := s.page
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if page == nil {
		page = []byte("<!doctype html><title>respawn</title><p>The run begins.</p>")
	}
	_, _ = w.Write(page)
}

// events tells a browser of each page that is made, until it goes away, does not read, or the runs are over.
func (s *spectators) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	s.mu.Lock()
	s.watched++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.watched--
		s.mu.Unlock()
	}()
	to := http.NewResponseController(w)
	for {
		s.mu.Lock()
		news, over := s.news, s.over
		s.mu.Unlock()
		word := "page"
		if over {
			word = "over"
		}
		_ = to.SetWriteDeadline(time.Now().Add(patientIO))
		if _, err := fmt.Fprintf(w, "event: %s\ndata: \n\n", word); err != nil || to.Flush() != nil || over {
			return
		}
		select {
		case <-news:
		case <-r.Context().Done():
			return
		}
	}
}

// show is called when a run begins whose history is going to be there.
func (s *spectators) show(history string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.history = history
}

func (s *spectators) look() {
	defer close(s.done)
	pause, following := time.Duration(0), followed{}
	defer following.end()
	for {
		select {
		case <-s.stop:
			s.tell(func(path string) (*reports.Report, error) { return reports.Judge(path) }, true)
			return
		case <-time.After(max(lookEvery, pause)):
		}
		s.mu.Lock()
		wanted := s.watched > 0 && s.history != ""
		s.mu.Unlock()
		if wanted {
			began := time.Now()
			s.tell(following.report, false)
			pause = dutyShare * time.Since(began)
		}
	}
}

// tell makes the page of a report of the run that is shown.
func (s *spectators) tell(report func(path string) (*reports.Report, error), over bool) {
	s.mu.Lock()
	path, watched := s.history, s.watched
	s.mu.Unlock()
	var page bytes.Buffer
	if path != "" && watched > 0 {
		if r, _ := report(path); r == nil || r.HTML(&page, nil) != nil {
			page.Reset()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if page.Len() > 0 {
		s.page = page.Bytes()
	}
	s.over = over
	close(s.news)
	s.news = make(chan struct{})
}

// followed is the run that is followed, if one is.
type followed struct {
	path string
	by   *reports.Follower
}

// report is what the run at that path shows by now; one whose header is not there yet is tried again.
func (f *followed) report(path string) (*reports.Report, error) {
	if f.path != path {
		f.end()
		by, err := reports.Follow(path)
		if err != nil {
			return nil, err
		}
		f.path, f.by = path, by
	}
	return f.by.Report()
}

func (f *followed) end() {
	if f.by != nil {
		f.by.Close()
	}
	f.path, f.by = "", nil
}

// end shows who watches the last page, and then ends. Their windows keep it.
func (s *spectators) end() {
	if s == nil {
		return
	}
	close(s.stop)
	<-s.done
	for until := time.Now().Add(patientIO); time.Now().Before(until); time.Sleep(lookEvery / 10) {
		s.mu.Lock()
		watched := s.watched
		s.mu.Unlock()
		if watched == 0 {
			break
		}
	}
	if s.page != nil {
		time.Sleep(lookEvery / 2) // for the last page to be fetched
	}
	if err := s.server.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return
	}
}
