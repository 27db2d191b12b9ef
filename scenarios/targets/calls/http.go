package calls

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"github.com/respawn-go/respawn/chaos"
	"github.com/respawn-go/respawn/chaos/history"
	"github.com/respawn-go/respawn/internal/units"
)

// HTTP is an HTTP request, each on a connection of its own.
type HTTP struct {
	URL        string            `yaml:"url" doc:"What is asked for, such as http://127.0.0.1:8080/health."`
	Method     string            `yaml:"method" doc:"Default GET, or POST with a body."`
	Headers    map[string]string `yaml:"headers" doc:"Headers of the request."`
	Body       string            `yaml:"body" doc:"The request's body. Default: none."`
	Expect     Expect            `yaml:"expect" doc:"What a right answer is. Default: any status from 200 to 299."`
	AnsweredBy *AnsweredBy       `yaml:"answered_by" doc:"Where an answer names the process that gave it. Without it nobody can tell which slot answered."`
}

// Expect is what a right answer to a request is.
type Expect struct {
	Status units.Count       `yaml:"status" zero:"no status: want 100 to 599" doc:"The status. Another one is a task that failed. Default: 200 to 299."`
	Body   string            `yaml:"body" doc:"A text that the body contains. A body without it is a wrong answer."`
	JSON   map[string]string `yaml:"json" doc:"Fields that the body, a JSON object, has with these values: a.b is the field b of the object in a."`
}

// AnsweredBy is where an answer names its process. Exactly one field is set.
type AnsweredBy struct {
	Header string `yaml:"header" doc:"A header whose value is the pid."`
	JSON   string `yaml:"json" doc:"A field of the body, a JSON object, whose value is the pid."`
}

// maxBody bounds what is read of an answer.
const maxBody = 1 << 20

func (h *HTTP) host() string {
	u, err := url.Parse(h.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func (h *HTTP) check(fail func(key, format string, args ...any)) {
	u, err := url.Parse(h.URL)
	switch {
	case h.URL == "":
		fail("", "url is missing: want one such as http://127.0.0.1:8080/")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		fail("url", "%q is no address of a web page: want one such as http://127.0.0.1:8080/", h.URL)
	}
	if s := h.Expect.Status; s != 0 && (s < 100 || s > 599) {
		fail("expect.status", "%d is no status: want 100 to 599", s)
	}
	if by := h.AnsweredBy; by != nil && (by.Header == "") == (by.JSON == "") {
		fail("answered_by", "want one of header and json")
	}
	if strings.ContainsAny(h.Method, " \t\r\n") {
		fail("method", "%q is no method: want one such as GET", h.Method)
	}
}

// client makes each request on a connection of its own: with connections that are kept alive it would repeat a request
// whose connection turns out to be dead, and nobody would know. It uses no proxy and follows no redirects.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Do implements Call.
func (h *HTTP) Do(ctx context.Context) chaos.Settled {
	method := h.Method
	switch {
	case method == "" && h.Body == "":
		method = http.MethodGet
	case method == "":
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, h.URL, strings.NewReader(h.Body))
	if err != nil {
		return chaos.Settled{Outcome: history.Rejected, Err: err.Error()}
	}
	req.GetBody = nil // without it nothing can be sent again
	for key, value := range h.Headers {
		req.Header.Set(key, value)
		if strings.EqualFold(key, "host") {
			req.Host = value
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return broken(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return broken(ctx, fmt.Errorf("the answer broke off: %w", err))
	}
	return h.judge(resp, body)
}

// judge compares an answer with what is expected.
func (h *HTTP) judge(resp *http.Response, body []byte) (s chaos.Settled) {
	var object map[string]any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	jsonErr := decoder.Decode(&object)
	s.PID = h.answeredBy(resp, object)
	switch want := int(h.Expect.Status); {
	case want != 0 && resp.StatusCode != want, want == 0 && (resp.StatusCode < 200 || resp.StatusCode > 299):
		s.Outcome, s.Err = history.Failed, fmt.Sprintf("status %s: %.200s", resp.Status, body)
		if to := resp.Header.Get("Location"); to != "" {
			s.Err = fmt.Sprintf("status %s, to %.200s: redirects are not followed", resp.Status, to)
		}
		return s
	case len(body) > maxBody:
		s.Outcome, s.Err = history.Wrong, fmt.Sprintf("the answer is longer than %d bytes", maxBody)
		return s
	case !strings.Contains(string(body), h.Expect.Body):
		s.Outcome, s.Err = history.Wrong,
			fmt.Sprintf("the body is %.200q, want one that contains %q", body, h.Expect.Body)
		return s
	case len(h.Expect.JSON) > 0 && jsonErr != nil:
		s.Outcome, s.Err = history.Wrong, fmt.Sprintf("the body is %.200q, want a JSON object", body)
		return s
	}
	for path, want := range h.Expect.JSON {
		if got, ok := field(object, path); !ok || got != want {
			s.Outcome, s.Err = history.Wrong, fmt.Sprintf("%s is %q in the answer, want %q", path, got, want)
			return s
		}
	}
	s.Outcome = history.OK
	return s
}

// answeredBy is who says to have answered; 0 if nobody does.
func (h *HTTP) answeredBy(resp *http.Response, object map[string]any) int {
	text := ""
	switch {
	case h.AnsweredBy == nil:
		return 0
	case h.AnsweredBy.Header != "":
		text = resp.Header.Get(h.AnsweredBy.Header)
	default:
		text, _ = field(object, h.AnsweredBy.JSON)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(text))
	return max(pid, 0)
}

// field is a value within an object, as text; of objects and lists their JSON.
func field(object map[string]any, path string) (string, bool) {
	key, rest, deeper := strings.Cut(path, ".")
	value, ok := object[key]
	if !ok {
		return "", false
	}
	if deeper {
		inner, is := value.(map[string]any)
		if !is {
			return "", false
		}
		return field(inner, rest)
	}
	switch v := value.(type) {
	case string:
		return v, ok
	case json.Number:
		return v.String(), ok
	case nil:
		return "null", ok
	}
	text, err := json.Marshal(value)
	return string(text), ok && err == nil
}

// broken says how a call ended that got no whole answer.
func broken(ctx context.Context, err error) chaos.Settled {
	if ctx.Err() != nil {
		return chaos.Settled{Outcome: history.Hung, Err: "no answer: " + err.Error()}
	}
	for _, ours := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, ours) {
			return chaos.Settled{Outcome: history.Rejected, Err: "this host cannot make the call: " + err.Error()}
		}
	}
	return chaos.Settled{Outcome: history.Lost, Err: err.Error()}
}

// onLoopback tells whether a host is this machine by its loopback address.
func onLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
