package fleet

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
)

// Role is what somebody is to a fleet, and needs rights at its broker for.
type Role string

// The roles.
const (
	RoleOwner    Role = "owner"    // a program that submits: Dial
	RoleNode     Role = "node"     // a program that serves: Serve
	RoleOperator Role = "operator" // who looks, drains, pauses and purges
)

// Verb is what is done with a subject.
type Verb string

// The verbs.
const (
	Publish   Verb = "publish"
	Subscribe Verb = "subscribe"
)

// Right is one thing that a role needs to be allowed at the broker, and all that others could do with it.
type Right struct {
	Role    Role   `json:"role"`
	Verb    Verb   `json:"verb"`
	Subject string `json:"subject"` // in words of a broker's permissions, for the fleet F
	For     string `json:"for"`
	Abuse   string `json:"abuse"` // what who has it without need can do; "": nothing that matters
}

const (
	inboxes   = "_INBOX.>"
	askQueue  = "to look at the queue"
	anyAnswer = "answers of the broker"
)

// Rights lists what each role needs. Nobody needs more; docs/fleet.md has the list, too.
func Rights() []Right {
	return []Right{
		{RoleOwner, Publish, "F.t.>", "to submit", "have any registered task run with any argument; fill the queue"},
		{RoleOwner, Publish, "F.n.*", "orders and questions to nodes", "have nodes drop or rerun tasks, and drain"},
		{RoleOwner, Publish, "F.op.*", "answers to operators", "tell operators what is not so"},
		{
			RoleOwner, Publish, "$JS.ACK.F.>", "to have what a lost node had handed out again",
			"acknowledge tasks of others, which their owners store again",
		},
		{RoleOwner, Publish, "$JS.API.STREAM.INFO.F", askQueue, ""},
		{
			RoleOwner, Publish, "$JS.API.STREAM.CREATE.F", "to make the queue",
			"make it with other limits, while there is none",
		},
		{
			RoleOwner, Publish, "$JS.API.STREAM.PURGE.F", "to take what it has cancelled out at its end",
			"empty the queue, which owners fill again",
		},
		{
			RoleOwner, Publish, "$JS.API.STREAM.MSG.GET.F", "to look for what the broker may have lost",
			"read tasks and their arguments",
		},
		{
			RoleOwner, Publish, "$JS.API.STREAM.MSG.DELETE.F", "to take out what it has cancelled",
			"take tasks out, which their owners store again",
		},
		{RoleOwner, Publish, "$JS.API.CONSUMER.INFO.F.*", askQueue, ""},
		{
			RoleOwner, Publish, "$JS.API.CONSUMER.CREATE.F.>", "to make the queue",
			"change how the queue is handed out, or have it handed out to themselves",
		},
		{RoleOwner, Subscribe, "F.o.*", "what nodes tell it", "read results and large arguments of others"},
		{RoleOwner, Subscribe, "F.o.*.>", anyAnswer, ""},
		{RoleOwner, Subscribe, "F.nodes", "who is there", ""},
		{RoleOwner, Subscribe, "F.ask", "questions of operators", ""},
		{RoleOwner, Subscribe, inboxes, anyAnswer, "read answers that are for others of the account"},
		{RoleNode, Publish, "F.o.*", "results", "settle anybody's task with a result of their own"},
		{RoleNode, Publish, "F.nodes", "that it is there", "pass for a node, or prove one dead that lives"},
		{RoleNode, Publish, "F.name.*", "whether its name is free", ""},
		{
			RoleNode, Publish, "$JS.ACK.F.>", "to acknowledge",
			"acknowledge tasks of others, which their owners store again",
		},
		{
			RoleNode, Publish, "$JS.API.CONSUMER.MSG.NEXT.F.*", "to take tasks",
			"take tasks, which run elsewhere once they are missed; read arguments",
		},
		{RoleNode, Publish, "$JS.API.STREAM.INFO.F", askQueue, ""},
		{RoleNode, Publish, "$JS.API.CONSUMER.INFO.F.*", askQueue, ""},
		{RoleNode, Subscribe, "F.n.*", "what owners tell it", "read orders and large arguments"},
		{RoleNode, Subscribe, "F.n.*.pull", "tasks", "read arguments"},
		{RoleNode, Subscribe, "F.name.*", "to hold its name", "keep nodes of a name away"},
		{RoleNode, Subscribe, "F.ask", "questions of operators", ""},
		{RoleNode, Subscribe, inboxes, anyAnswer, "read answers that are for others of the account"},
		{RoleOperator, Publish, "F.ask", "to ask who is there; to purge", "settle all tasks that wait, as purged"},
		{RoleOperator, Publish, "F.n.*", "to drain", "have nodes drop or rerun tasks, and drain"},
		{RoleOperator, Publish, "$JS.API.INFO", "to read the account's limits", ""},
		{RoleOperator, Publish, "$JS.API.STREAM.INFO.F", askQueue, ""},
		{
			RoleOperator, Publish, "$JS.API.STREAM.PURGE.F", "to purge what is of owners that are gone",
			"empty the queue, which owners fill again",
		},
		{RoleOperator, Publish, "$JS.API.CONSUMER.INFO.F.*", askQueue, ""},
		{RoleOperator, Publish, "$JS.API.CONSUMER.PAUSE.F.*", "to pause and resume", "stop the fleet"},
		{RoleOperator, Subscribe, "F.nodes", "who is there", ""},
		{RoleOperator, Subscribe, "F.op.*", "answers of owners", "read keys and names of tasks"},
		{RoleOperator, Subscribe, inboxes, anyAnswer, "read answers that are for others of the account"},
	}
}

// In is the right's subject for a fleet of that name.
func (r Right) In(fleet string) string {
	words := strings.Split(r.Subject, ".")
	for i, w := range words {
		if w == "F" {
			words[i] = fleet
		}
	}
	return strings.Join(words, ".")
}

// Tried is a right that somebody has tried to use.
type Tried struct {
	Right
	Needed  bool `json:"needed"` // for the role that it was tried for; else it is another role's
	Allowed bool `json:"allowed"`
}

// TryRights tries all rights of all roles with the caller's credentials, by messages that change nothing: to addresses
// that nobody has, or that the broker is bound to refuse. Errors: those of connecting; a role that is none.
func TryRights(ctx context.Context, c Config, role Role) ([]Tried, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if role != RoleOwner && role != RoleNode && role != RoleOperator {
		return nil, fmt.Errorf("fleet: role %q: want %s, %s or %s", role, RoleOwner, RoleNode, RoleOperator)
	}
	c = c.withDefaults()
	l, err := connect(ctx, c.Fleet, "respawn doctor", c.Servers, c.Options, func(bool) {})
	if err != nil {
		return nil, err
	}
	defer l.nc.Close()
	type use struct {
		verb    Verb
		subject string
	}
	at := make(map[use]int)
	var all []Tried
	for _, r := range Rights() {
		u := use{r.Verb, r.Subject}
		i, before := at[u]
		if !before {
			allowed, err := l.may(r)
			if err != nil {
				return nil, err
			}
			i = len(all)
			at[u] = i
			all = append(all, Tried{Right: r, Allowed: allowed})
		}
		if r.Role == role {
			all[i].Right, all[i].Needed = r, true
		}
	}
	return all, nil
}

// may tells whether the broker lets this user do that.
func (l *link) may(r Right) (bool, error) {
	subject := r.In(string(l.subjects))
	before := l.nc.LastError()
	var err error
	if r.Verb == Subscribe {
		var sub *nats.Subscription
		if sub, err = l.nc.Subscribe(subject, func(*nats.Msg) {}); err == nil {
			defer func() { _ = sub.Unsubscribe() }()
		}
	} else {
		subject = strings.NewReplacer("*", newID(), ">", newID()).Replace(subject)
		if strings.HasPrefix(r.Subject, "F.t.") {
			subject = l.tasks("none", newID())
		}
		err = l.nc.PublishMsg(harmless(subject))
	}
	if err == nil {
		err = l.nc.FlushTimeout(apiTimeout) // what is denied is told before that is answered
	}
	if err != nil {
		return false, fmt.Errorf("fleet: %w", err)
	}
	denied := l.nc.LastError() // another value each time
	return denied == before || !errors.Is(denied, nats.ErrPermissionViolation), nil
}

// harmless is a message that does nothing where it comes to: JetStream refuses a request that is no JSON and a task for
// another stream, and who is told of a fleet gets an empty list.
func harmless(subject string) *nats.Msg {
	m := &nats.Msg{
		Subject: subject, Data: encode([]report{}), Header: nats.Header{"Nats-Expected-Stream": []string{"none"}},
	}
	if strings.HasPrefix(subject, "$JS.API.") {
		m.Header, m.Data = nil, []byte("{")
	}
	return m
}
