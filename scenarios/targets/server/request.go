package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// Task is one request.
type Task struct {
	ID   uint64 // of the task, in the file of witnesses
	Name string // square or sleep
	N    int    // the square of which is the right answer
	MS   int64  // sleep: how long
}

// Answer is what a request was answered with.
type Answer struct {
	Value json.Number `json:"value"`
	PID   int         `json:"pid"` // of the worker
}

// StatusError is an answer that is none: the server says that it could not do it.
type StatusError struct {
	Code int
	Text string // the beginning of the body
}

func (e *StatusError) Error() string { return fmt.Sprintf("status %d: %.200s", e.Code, e.Text) }

// client makes each request on a connection of its own, so that a broken one breaks one task. It uses no proxy.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

const maxBody = 64 << 10

// Request sends a task to the server and waits for its answer. Errors: [*StatusError]; ctx's; any other means that the
// connection was refused or broke.
func (s *Server) Request(ctx context.Context, t Task) (a Answer, err error) {
	query := url.Values{"id": {strconv.FormatUint(t.ID, 10)}, "n": {strconv.Itoa(t.N)}, "ms": {strconv.FormatInt(t.MS, 10)}}
	address := fmt.Sprintf("http://127.0.0.1:%d/%s?%s", s.port, url.PathEscape(t.Name), query.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return a, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	switch {
	case err != nil:
		return a, fmt.Errorf("the answer broke off: %w", err)
	case resp.StatusCode != http.StatusOK:
		return a, &StatusError{Code: resp.StatusCode, Text: string(body)}
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, &StatusError{Code: resp.StatusCode, Text: string(body)}
	}
	return a, nil
}
