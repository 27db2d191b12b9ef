//go:build ignore

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
	_ "modernc.org/sqlite"
)

// riverQueue is river on SQLite, as it comes; careful: jobs may take 10 s, and are rescued when they took 15.
type riverQueue struct {
	address string
	careful bool
	db      *sql.DB
	client  *river.Client[*sql.Tx]
}

type riverArgs struct{ job }

func (riverArgs) Kind() string { return "run" }

type riverWorker struct {
	river.WorkerDefaults[riverArgs]
	run func(context.Context, job) (value, error)
}

func (w *riverWorker) Work(ctx context.Context, j *river.Job[riverArgs]) error {
	v, err := w.run(ctx, j.Args.job)
	if err != nil {
		return err
	}
	return river.RecordOutput(ctx, v)
}

func (q *riverQueue) open(config *river.Config) (err error) {
	if q.db, err = sql.Open("sqlite",
		"file:"+q.address+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate"); err != nil {
		return err
	}
	q.db.SetMaxOpenConns(1)
	q.client, err = river.NewClient(riversqlite.New(q.db), config)
	return err
}

func (q *riverQueue) prepare(string) error {
	if err := q.open(&river.Config{}); err != nil {
		return err
	}
	m, err := rivermigrate.New(riversqlite.New(q.db), nil)
	if err != nil {
		return err
	}
	_, err = m.Migrate(context.Background(), rivermigrate.DirectionUp, nil)
	return err
}

func (q *riverQueue) submit(j job) (string, error) {
	r, err := q.client.Insert(context.Background(), riverArgs{j}, nil)
	if err != nil {
		return "", err
	}
	return strconv.FormatInt(r.Job.ID, 10), nil
}

func (q *riverQueue) look(names []string) (map[string]outcome, error) {
	settled := map[string]outcome{}
	for _, name := range names {
		id, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return settled, err
		}
		row, err := q.client.JobGet(context.Background(), id)
		if err != nil {
			return settled, err
		}
		var o outcome
		switch row.State {
		case rivertype.JobStateCompleted:
			if err := json.Unmarshal(row.Output(), &o.value); err != nil {
				o.err = err.Error()
			}
		case rivertype.JobStateDiscarded, rivertype.JobStateCancelled:
			o.err = fmt.Sprintf("%s: %v", row.State, row.Errors)
		default:
			continue
		}
		settled[name] = o
	}
	return settled, nil
}

func (q *riverQueue) serve(run func(context.Context, job) (value, error), ready func()) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, &riverWorker{run: run})
	config := &river.Config{Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 1}}, Workers: workers}
	if q.careful {
		config.JobTimeout, config.RescueStuckJobsAfter = 10*time.Second, 15*time.Second
	}
	if err := q.open(config); err != nil {
		return err
	}
	if err := q.client.Start(context.Background()); err != nil {
		return err
	}
	ready()
	select {}
}
