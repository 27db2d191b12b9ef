package calls_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/scenarios/targets/calls"
)

// serve is a web server, and how many requests it has had.
func serve(t *testing.T, handler http.HandlerFunc) (url string, requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

func short(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestAnswersAreJudgedByWhatIsExpected(t *testing.T) {
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/long":
			fmt.Fprint(w, strings.Repeat("x", 2<<20))
		default:
			w.Header().Set("X-Pid", "4711")
			fmt.Fprintf(w, `{"ok": true, "method": %q, "who": {"pid": 4712}, "agent": %q}`,
				r.Method, r.Header.Get("X-Agent"))
		}
	})
	for name, c := range map[string]struct {
		call calls.HTTP
		want chaos.Settled
	}{
		"all is well": {calls.HTTP{URL: url}, chaos.Settled{Outcome: history.OK}},
		"by a header": {
			calls.HTTP{URL: url, AnsweredBy: &calls.AnsweredBy{Header: "x-pid"}},
			chaos.Settled{Outcome: history.OK, PID: 4711},
		},
		"by a field": {
			calls.HTTP{URL: url, AnsweredBy: &calls.AnsweredBy{JSON: "who.pid"}},
			chaos.Settled{Outcome: history.OK, PID: 4712},
		},
		"sent": {calls.HTTP{
			URL: url, Body: "b", Headers: map[string]string{"X-Agent": "me"},
			Expect: calls.Expect{JSON: map[string]string{"method": "POST", "agent": "me", "ok": "true"}},
		}, chaos.Settled{Outcome: history.OK}},
		"another status": {
			calls.HTTP{URL: url, Expect: calls.Expect{Status: 201}},
			chaos.Settled{Outcome: history.Failed, Err: "status 200 OK"},
		},
		"another text": {
			calls.HTTP{URL: url, Expect: calls.Expect{Body: "nope"}},
			chaos.Settled{Outcome: history.Wrong, Err: `want one that contains "nope"`},
		},
		"another value": {
			calls.HTTP{URL: url, Expect: calls.Expect{JSON: map[string]string{"ok": "false"}}},
			chaos.Settled{Outcome: history.Wrong, Err: `ok is "true" in the answer, want "false"`},
		},
		"no such value": {
			calls.HTTP{URL: url, Expect: calls.Expect{JSON: map[string]string{"who.name": "x"}}},
			chaos.Settled{Outcome: history.Wrong, Err: `who.name is "" in the answer`},
		},
		"moved": {
			calls.HTTP{URL: url + "/moved"},
			chaos.Settled{Outcome: history.Failed, Err: "status 302 Found, to /: redirects are not followed"},
		},
		"moved, expected": {
			calls.HTTP{URL: url + "/moved", Expect: calls.Expect{Status: 302}},
			chaos.Settled{Outcome: history.OK},
		},
		"without end": {
			calls.HTTP{URL: url + "/long"},
			chaos.Settled{Outcome: history.Wrong, Err: "longer than 1048576 bytes"},
		},
		"nobody there": {
			calls.HTTP{URL: "http://127.0.0.1:1/"},
			chaos.Settled{Outcome: history.Lost, Err: "connection refused"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			got := c.call.Do(t.Context())
			g.Expect(got.Outcome).To(Equal(c.want.Outcome), got.Err)
			g.Expect(got.Err).To(ContainSubstring(c.want.Err))
			g.Expect(got.PID).To(Or(Equal(c.want.PID), BeZero()))
			if c.call.AnsweredBy != nil {
				g.Expect(got.PID).To(Equal(c.want.PID))
			}
		})
	}
}

// With connections that are kept alive net/http would ask a second time, and two requests would count as one task.
func TestABrokenConnectionIsALostTaskAndOneRequest(t *testing.T) {
	g := NewWithT(t)
	broke := false
	url, requests := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if !broke {
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			conn.Close()
		}
	})
	call := calls.HTTP{URL: url}
	g.Expect(call.Do(t.Context()).Outcome).To(Equal(history.OK))
	broke = true
	g.Expect(call.Do(t.Context()).Outcome).To(Equal(history.Lost))
	g.Expect(requests.Load()).To(Equal(int64(2)))
}

func TestAnAnswerThatDoesNotComeOrEndHangs(t *testing.T) {
	takes.Seconds(t)
	g := NewWithT(t)
	release := make(chan struct{})
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for r.URL.Path == "/drip" {
			if _, err := fmt.Fprint(w, "x"); err != nil || r.Context().Err() != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-time.After(10 * time.Millisecond):
			case <-release:
				return
			}
		}
		<-release
	})
	defer close(release)
	for _, path := range []string{"/", "/drip"} {
		call := calls.HTTP{URL: url + path}
		g.Expect(call.Do(short(t)).Outcome).To(Equal(history.Hung), path)
	}
}

// listen is a server that does that with each connection.
func listen(t *testing.T, with func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go with(conn)
		}
	}()
	return l.Addr().String()
}

func TestAConnectionThatIsAcceptedIsNoAnswer(t *testing.T) {
	g := NewWithT(t)
	silent := listen(t, func(net.Conn) {})
	g.Expect((&calls.TCP{Address: silent}).Do(short(t)).Outcome).To(Equal(history.Hung))
	closing := listen(t, func(c net.Conn) { c.Close() })
	g.Expect((&calls.TCP{Address: closing}).Do(t.Context()).Outcome).To(Equal(history.Lost))
	echo := listen(t,
		func(c net.Conn) { b := make([]byte, 5); _, _ = c.Read(b); _, _ = c.Write(append([]byte("+"), b...)) })
	g.Expect((&calls.TCP{Address: echo, Send: "PING"}).Do(t.Context()).Outcome).To(Equal(history.OK))
	g.Expect((&calls.TCP{Address: echo, Send: "PING", Expect: "+PING"}).Do(t.Context()).Outcome).To(Equal(history.OK))
	g.Expect((&calls.TCP{Address: echo, Send: "PING", Expect: "+PONG"}).Do(t.Context()).Outcome).
		To(Equal(history.Wrong))
}

func TestAProgramIsACall(t *testing.T) {
	g := NewWithT(t)
	for script, want := range map[string]history.Outcome{
		"echo all well": history.OK, "exit 3": history.Failed, "echo other": history.Wrong,
		"exec sleep 100": history.Hung,
	} {
		call := calls.Exec{Argv: []string{"sh", "-c", script}, Expect: calls.ExecExpect{Stdout: "well"}}
		if want == history.Failed {
			call.Expect.Stdout = ""
		}
		g.Expect(call.Do(short(t)).Outcome).To(Equal(want), script)
	}
	g.Expect((&calls.Exec{Argv: []string{"no-such-program"}}).Do(t.Context()).Outcome).To(Equal(history.Rejected))
}
