//go:build ignore

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hibiken/asynq"
)

// asynqQueue is asynq as it comes, on a Redis that keeps nothing on disk.
type asynqQueue struct {
	address   string
	redis     *exec.Cmd
	client    *asynq.Client
	inspector *asynq.Inspector
}

func (q *asynqQueue) options() asynq.RedisClientOpt {
	return asynq.RedisClientOpt{Network: "unix", Addr: q.address}
}

func (q *asynqQueue) prepare(dir string) error {
	q.redis = exec.Command("redis-server", "--port", "0", "--unixsocket", q.address, "--save", "", "--appendonly", "no",
		"--dir", filepath.Clean(dir))
	if err := q.redis.Start(); err != nil {
		return err
	}
	for range 1000 {
		if _, err := os.Stat(q.address); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	q.client, q.inspector = asynq.NewClient(q.options()), asynq.NewInspector(q.options())
	return nil
}

func (q *asynqQueue) end() {
	_ = q.redis.Process.Kill()
	_ = q.redis.Wait() // it was killed
}

func (q *asynqQueue) submit(j job) (string, error) {
	payload, err := json.Marshal(j)
	if err != nil {
		return "", err
	}
	info, err := q.client.Enqueue(asynq.NewTask("run", payload), asynq.Retention(time.Hour))
	if err != nil {
		return "", err
	}
	return info.ID, nil
}

func (q *asynqQueue) look(names []string) (map[string]outcome, error) {
	settled := map[string]outcome{}
	for _, name := range names {
		info, err := q.inspector.GetTaskInfo("default", name)
		if err != nil {
			return settled, err
		}
		var o outcome
		switch info.State {
		case asynq.TaskStateCompleted:
			if err := json.Unmarshal(info.Result, &o.value); err != nil {
				o.err = err.Error()
			}
		case asynq.TaskStateArchived:
			o.err = fmt.Sprintf("archived: %s", info.LastErr)
		default:
			continue
		}
		settled[name] = o
	}
	return settled, nil
}

func (q *asynqQueue) serve(run func(context.Context, job) (value, error), ready func()) error {
	s := asynq.NewServer(q.options(), asynq.Config{Concurrency: 1, LogLevel: asynq.FatalLevel})
	err := s.Start(asynq.HandlerFunc(func(ctx context.Context, t *asynq.Task) error {
		var j job
		if err := json.Unmarshal(t.Payload(), &j); err != nil {
			return err
		}
		v, err := run(ctx, j)
		if err != nil {
			return err
		}
		result, err := json.Marshal(v)
		_, e := t.ResultWriter().Write(result)
		return errors.Join(err, e)
	}))
	if err != nil {
		return err
	}
	ready()
	select {}
}
