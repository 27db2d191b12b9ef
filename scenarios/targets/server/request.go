package server

import (
	"context"
	"encoding/json"
	"fmt"
)

// Task is one request.
type Task struct {
	ID   uint64 // of the task, in the file of witnesses
	Name string // square or sleep, which need no escaping
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

// statusOK is the status of an answer that is one.
const statusOK = 200

// Request sends a task to the server and waits for its answer. Errors: [*StatusError]; ctx's; any other means that the
// connection was refused or broke.
func (s *Server) Request(ctx context.Context, t Task) (a Answer, err error) {
	address := fmt.Sprintf("http://127.0.0.1:%d/%s?id=%d&n=%d&ms=%d", s.port, t.Name, t.ID, t.N, t.MS)
	status, body, err := get(ctx, address)
	switch {
	case err != nil:
		return a, err
	case status != statusOK:
		return a, &StatusError{Code: status, Text: string(body)}
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return a, &StatusError{Code: status, Text: string(body)}
	}
	return a, nil
}
