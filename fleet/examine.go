package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Examination is what a look at a fleet's brokers has found, for one role.
type Examination struct {
	Role       Role     `json:"role"`
	Status     *Status  `json:"status"` // nil: no queue is there, and this role makes none
	Rights     []Tried  `json:"rights"`
	Links      []Link   `json:"links"` // to each broker of Config.Servers
	Limits     *Limits  `json:"limits"`
	Stores     []Store  `json:"stores"`     // of the brokers that were asked how they write
	Unanswered []string `json:"unanswered"` // questions that got no answer, and why
}

// Link is the way to a broker.
type Link struct {
	URL     string       `json:"url"`
	Server  string       `json:"server"`
	Version string       `json:"version"`
	Median  Milliseconds `json:"median_ms"` // of ten times there and back
	Max     Milliseconds `json:"max_ms"`
	Payload int64        `json:"max_payload"`
	Error   string       `json:"error"` // why there is none; else ""
}

// Limits are those of the account that the credentials are of; negative: as much as the broker has.
type Limits struct {
	Memory     int64 `json:"memory"` // bytes that queues may take
	MemoryUsed int64 `json:"memory_used"`
	Store      int64 `json:"store"`
	StoreUsed  int64 `json:"store_used"`
	AckPending int   `json:"ack_pending"` // tasks that nodes may have at a time; 0 or less: as many as a fleet asks for
}

// Store is how a broker writes.
type Store struct {
	URL        string       `json:"url"` // of its monitoring
	SyncAlways bool         `json:"sync_always"`
	Interval   Milliseconds `json:"sync_interval_ms"`
	MaxMemory  int64        `json:"max_memory"`
	MaxStore   int64        `json:"max_store"`
}

// Examine looks at the brokers of a fleet as somebody in that role would find them: rights, links, limits, clocks. An
// owner makes the queue if it is not there. monitors are URLs of the brokers' monitoring (http_port of nats-server),
// which alone tell whether they sync what they acknowledge. Errors: those of Dial for an owner, and of connecting for
// others.
func Examine(ctx context.Context, c Config, role Role, monitors []string) (*Examination, error) {
	x := &Examination{Role: role}
	var err error
	if x.Rights, err = TryRights(ctx, c, role); err != nil {
		return nil, err
	}
	for _, r := range x.Rights {
		if r.Needed && !r.Allowed {
			return x, nil // the rest would fail for it
		}
	}
	if role == RoleOwner {
		f, err := Dial(ctx, c)
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	x.links(ctx, c.withDefaults())
	if x.Status, err = ReadStatus(ctx, c); err != nil {
		x.unanswered("the status", err)
	}
	if x.Limits, err = readLimits(ctx, c.withDefaults()); err != nil {
		x.unanswered("the account's limits ($JS.API.INFO)", err)
	}
	for _, m := range monitors {
		s, err := readStore(ctx, m)
		if err != nil {
			x.unanswered("the monitoring at "+m, err)
			continue
		}
		x.Stores = append(x.Stores, s)
	}
	return x, nil
}

func (x *Examination) unanswered(what string, err error) {
	x.Unanswered = append(x.Unanswered, fmt.Sprintf("%s: %v", what, err))
}

// links measures the way to each broker.
func (x *Examination) links(ctx context.Context, c Config) {
	for _, server := range strings.Split(c.Servers, ",") {
		server = strings.TrimSpace(server)
		one := Link{URL: redacted(server)}
		l, err := connect(ctx, c.Fleet, "respawn doctor", server,
			append(slices.Clone(c.Options), nats.IgnoreDiscoveredServers()), func(bool) {})
		if err != nil {
			one.Error = err.Error()
			x.Links = append(x.Links, one)
			continue
		}
		one.Server, one.Version, one.Payload = l.nc.ConnectedServerName(), l.nc.ConnectedServerVersion(),
			l.nc.MaxPayload()
		var took []time.Duration
		for range 10 {
			if rtt, err := l.nc.RTT(); err == nil {
				took = append(took, rtt)
			}
		}
		l.nc.Close()
		if slices.Sort(took); len(took) > 0 {
			one.Median, one.Max = Milliseconds(took[len(took)/2]), Milliseconds(took[len(took)-1])
		}
		x.Links = append(x.Links, one)
	}
}

// redacted is a URL without its password.
func redacted(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return server
	}
	return u.Redacted()
}

func readLimits(ctx context.Context, c Config) (*Limits, error) {
	l, err := connect(ctx, c.Fleet, "respawn doctor", c.Servers, c.Options, func(bool) {})
	if err != nil {
		return nil, err
	}
	defer l.nc.Close()
	if may, err := l.may(Right{Verb: Publish, Subject: "$JS.API.INFO"}); err != nil || !may {
		return nil, err // a role that need not know
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	info, err := l.js.AccountInfo(ctx)
	if err != nil {
		return nil, l.explain(err)
	}
	t := info.Tier
	if tier, ok := info.Tiers[fmt.Sprintf("R%d", c.Replicas)]; ok {
		t = tier
	}
	return limitsOf(t), nil
}

func limitsOf(t jetstream.Tier) *Limits {
	return &Limits{t.Limits.MaxMemory, int64(t.Memory), t.Limits.MaxStore, int64(t.Store), t.Limits.MaxAckPending}
}

// readStore asks a broker's monitoring.
func readStore(ctx context.Context, monitor string) (s Store, err error) {
	u, err := url.Parse(monitor)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return s, fmt.Errorf("want a URL such as http://10.0.0.1:8222")
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("jsz").String(), nil)
	if err != nil {
		return s, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	var told struct {
		Config *struct {
			SyncAlways   bool          `json:"sync_always"`
			SyncInterval time.Duration `json:"sync_interval"`
			MaxMemory    int64         `json:"max_memory"`
			MaxStore     int64         `json:"max_storage"`
		} `json:"config"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, res.Body, 1<<20)).Decode(&told); err != nil ||
		told.Config == nil {
		return s, fmt.Errorf("it answers %s, and no JetStream is in it", res.Status)
	}
	return Store{
		redacted(monitor), told.Config.SyncAlways, Milliseconds(told.Config.SyncInterval),
		told.Config.MaxMemory, told.Config.MaxStore,
	}, nil
}
