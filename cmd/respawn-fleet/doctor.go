package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet"
	"github.com/respawn-go/respawn/internal/units"
)

// finding is what doctor has to say of one thing.
type finding struct {
	Check string `json:"check"` // "rights", "version", "link", "limits", "replicas", "sync", "clock", "nodes"
	Level string `json:"level"` // "ok"; "note": it works, and may be better; "bad": it does not
	Text  string `json:"text"`
}

const (
	levelOK   = "ok"
	levelNote = "note"
	levelBad  = "bad"
)

func doctorCommand() *cobra.Command {
	var r reach
	var role string
	var monitors []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Can a fleet live on these brokers, with these credentials?",
		Long: `doctor tries what a role needs of the brokers with the credentials that it is given: each subject of the table in docs/fleet.md, what it may
beyond that, versions, the way to each broker, limits, replicas, clocks. An owner makes the queue if it is not there. Nothing else is
changed, and no task is run. Whether brokers sync what they acknowledge is told by their monitoring alone (--monitor). Exit code 1: something
is bad.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch fleet.Role(role) {
			case fleet.RoleOwner, fleet.RoleNode, fleet.RoleOperator:
			default:
				return &usageError{fmt.Errorf("--role %q: want owner, node or operator", role)}
			}
			x, err := fleet.Examine(cmd.Context(), r.get(), fleet.Role(role), monitors)
			if err != nil {
				return err
			}
			found := findings(x)
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), struct {
					Findings []finding `json:"findings"`
					*fleet.Examination
				}{found, x})
			} else {
				printFindings(cmd.OutOrStdout(), found)
			}
			bad := 0
			for _, f := range found {
				if f.Level == levelBad {
					bad++
				}
			}
			if err == nil && bad > 0 {
				err = fmt.Errorf("%d of %d findings are bad", bad, len(found))
			}
			return err
		},
	}
	r.flags(cmd)
	cmd.Flags().StringVar(&role, "role", "owner", "for whom these credentials are: owner, node or operator")
	cmd.Flags().StringSliceVar(&monitors, "monitor", nil,
		"URLs of the brokers' monitoring, such as http://10.0.0.1:8222 (broker --monitor 8222)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func size[N int64 | uint64](bytes N) string { return units.Size(float64(bytes)) }

func printFindings(w io.Writer, found []finding) {
	for _, f := range found {
		fmt.Fprintf(w, "%-4s  %-8s  %s\n", f.Level, f.Check, f.Text)
	}
}

// findings judges what was found.
func findings(x *fleet.Examination) (list []finding) {
	say := func(check, level, format string, args ...any) {
		list = append(list, finding{check, level, fmt.Sprintf(format, args...)})
	}
	rightsOf(x, say)
	linksOf(x, say)
	if x.Status != nil {
		queueOf(x.Status, say)
		storesOf(x, say)
	}
	limitsOf(x, say)
	for _, text := range x.Unanswered {
		say("answers", levelBad, "%s", text)
	}
	return list
}

type sayer func(check, level, format string, args ...any)

func rightsOf(x *fleet.Examination, say sayer) {
	needed, denied, allowed := 0, 0, 0
	var beyond []fleet.Tried
	for _, r := range x.Rights {
		switch {
		case r.Needed && r.Allowed:
			needed, allowed = needed+1, allowed+1
		case r.Needed:
			denied++
			say("rights", levelBad, "may not %s to %s, which the %s needs %s", r.Verb, r.Subject, r.Role, r.For)
		case r.Allowed:
			allowed++
			beyond = append(beyond, r)
		default:
			denied++
		}
	}
	say("rights", levelOK, "may do %d of the %d things that a fleet's %s needs (F stands for the fleet's name)",
		needed, needed+missing(x), x.Role)
	if denied == 0 {
		say("rights", levelNote, "these credentials may do all that an owner, a node and an operator may: "+
			"docs/fleet.md lists what the %s needs", x.Role)
		return
	}
	for _, r := range beyond {
		if r.Abuse != "" {
			say("rights", levelNote, "may %s to %s, which the %s does not need: whoever has these credentials can %s",
				r.Verb, r.Subject, x.Role, r.Abuse)
		}
	}
}

func missing(x *fleet.Examination) (n int) {
	for _, r := range x.Rights {
		if r.Needed && !r.Allowed {
			n++
		}
	}
	return n
}

// far is how long a broker may take to answer without a word about it: a task's own way goes there and back four times.
const far = 20 * time.Millisecond

func linksOf(x *fleet.Examination, say sayer) {
	for _, l := range x.Links {
		median, longest := time.Duration(l.Median).Round(10*time.Microsecond),
			time.Duration(l.Max).Round(10*time.Microsecond)
		switch {
		case l.Error != "":
			say("link", levelBad, "%s: %s", l.URL, l.Error)
			continue
		case longest > time.Second:
			say("link", levelBad,
				"%s answers in %v, and once in %v: a connection that is silent for three seconds is given up",
				l.URL, median, longest)
		case median > far:
			say("link", levelNote, "%s answers in %v (at most %v): a task's way goes there and back four times",
				l.URL, median, longest)
		default:
			say("link", levelOK, "%s answers in %v (at most %v)", l.URL, median, longest)
		}
		say("version", levelOK, "%s has nats-server %s, messages of up to %s", l.URL, l.Version, size(l.Payload))
	}
}

func queueOf(s *fleet.Status, say sayer) {
	if s.Storage == "" {
		say("queue", levelNote, "nobody has made it yet: the first owner does")
		return
	}
	say("queue", levelOK, "it can be read: %d tasks, %s of at most %s", s.Stored, size(s.Bytes), size(s.Room))
	if s.Room > 0 && int64(s.Bytes) > s.Room/10*8 {
		say("limits", levelNote, "the queue is more than four fifths full; owners wait when it is: more nodes, or a "+
			"new queue with a larger Config.QueueBytes")
	}
	if s.Paused > 0 {
		say("queue", levelNote, "it is paused%s: respawn-fleet resume goes on", pausedFor(s))
	}
	for _, r := range s.Behind {
		say("replicas", levelBad, "broker %s is %s, %d operations behind: another loss may stop the queue",
			r.Server, map[bool]string{true: "away", false: "not up to date"}[r.Away], r.Lag)
	}
	switch {
	case s.Kept == 1:
		say("replicas", levelNote,
			"one broker keeps the queue: while it is away nothing is handed out; what it forgets is published again")
	case len(s.Behind) == 0:
		say("replicas", levelOK, "%d brokers keep the queue, and are up to date", s.Kept)
	}
	if skew := time.Duration(s.Skew); skew.Abs() > time.Second {
		say("clock", levelNote,
			"the broker's clock is %v off this machine's; no task depends on that, logs are harder to read",
			skew.Round(time.Second))
	} else {
		say("clock", levelOK, "the broker's is %v off this machine's", skew.Round(time.Millisecond))
	}
	if len(s.Nodes) == 0 {
		say("nodes", levelNote, "no node is there: respawn-fleet node starts one")
	} else {
		say("nodes", levelOK, "%d are there", len(s.Nodes))
	}
}

func storesOf(x *fleet.Examination, say sayer) {
	if x.Status.Storage != "file" {
		return // there is nothing to sync
	}
	if len(x.Stores) == 0 {
		say("sync", levelNote, "not known, since only a broker's monitoring tells: --monitor http://HOST:8222 "+
			"(http_port of nats-server; respawn-fleet broker --monitor 8222)")
	}
	for _, s := range x.Stores {
		if s.SyncAlways {
			say("sync", levelOK, "%s syncs what it acknowledges", s.URL)
			continue
		}
		say("sync", levelNote, "%s acknowledges before it syncs, each %v: a loss of power costs what came since, "+
			"which owners publish again (sync_interval: always)",
			s.URL, time.Duration(s.Interval))
	}
}

func limitsOf(x *fleet.Examination, say sayer) {
	if x.Limits == nil {
		return
	}
	one := func(what string, limit, used int64) {
		switch {
		case limit <= 0:
			say("limits", levelOK, "%s: as much as the broker has, %s used", what, size(used))
		case used > limit/10*8:
			say("limits", levelNote, "%s: %s of %s are used by all queues of the account",
				what, size(used), size(limit))
		default:
			say("limits", levelOK, "%s: %s, %s used", what, size(limit), size(used))
		}
	}
	if x.Status == nil || x.Status.Storage != "file" {
		one("memory", x.Limits.Memory, x.Limits.MemoryUsed)
	}
	if x.Status == nil || x.Status.Storage != "memory" {
		one("files", x.Limits.Store, x.Limits.StoreUsed)
	}
	if n := x.Limits.AckPending; n > 0 && n < 100_000 {
		say("limits", levelNote, "nodes may have %d tasks at a time, all together", n)
	}
}
