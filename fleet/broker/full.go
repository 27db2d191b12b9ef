package broker

import (
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"golang.org/x/sys/unix"
)

// nats-server stores nothing more once its disk was full, until it is started again: alone it leaves publishes
// unanswered, and one of a cluster shuts JetStream down. What it keeps, it keeps, and messages pass as before. So it is
// started again here, once there is room.

const (
	lookEvery = 500 * time.Millisecond // at the server
	enough    = 1 << 20                // bytes that are to be free before it is started again
	maxPause  = time.Minute            // between two starts
)

// watch looks after the server until the broker is closed.
func (b *Broker) watch() {
	defer close(b.watched)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	known, full := b.trouble(), false // what was so from the start is no matter of room
	var pause time.Duration
	var next time.Time
	for {
		select {
		case <-b.over:
			return
		case now := <-tick.C:
			why := b.trouble()
			free, err := room(b.dir)
			switch {
			case why == "":
				known, full, pause = "", false, 0
			case err == nil && free < enough:
				if !full {
					b.log.Error("the broker stores nothing, since its disk is full: make room, and it goes on",
						"dir", b.dir, "free", free, "error", why)
				}
				full = true
			case why == known && !full, now.Before(next):
			default:
				b.log.Warn("the broker stores nothing, and there is room: its server is started again",
					"dir", b.dir, "free", free, "error", why)
				pause = min(max(2*pause, time.Second), maxPause)
				if err := b.restart(); err != nil {
					b.log.Error("the broker's server cannot be started again", "error", err)
				} else {
					known, full = b.trouble(), false
				}
				next = time.Now().Add(pause)
			}
		}
	}
}

// trouble tells why the server stores nothing; "" if it does, as far as it knows.
func (b *Broker) trouble() string {
	s := b.running()
	if !s.JetStreamEnabled() {
		return "JetStream is shut down"
	}
	if s.JetStreamIsClustered() { // what is wrong with its streams may be wrong with the others
		return ""
	}
	for _, e := range s.Healthz(&server.HealthzOptions{Details: true}).Errors {
		// Of the same type is a stream that is just being made or removed: "could not be recovered".
		if e.Type == server.HealthzErrorStream && strings.Contains(e.Error, " write error: ") {
			return e.Error
		}
	}
	return ""
}

// restart starts another server in place of the one that runs.
func (b *Broker) restart() error {
	s := b.running()
	s.Shutdown()
	s.WaitForShutdown()
	return b.start()
}

// room is how many bytes may still be written below a directory.
func room(dir string) (int64, error) {
	var s unix.Statfs_t
	err := unix.Statfs(dir, &s)
	return int64(s.Bavail) * int64(s.Bsize), err
}
