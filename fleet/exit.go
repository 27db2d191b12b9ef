package fleet

import (
	"errors"
	"fmt"

	"github.com/respawn-go/respawn/pool"
)

// NodeExit is a node that was lost with a task: part of the error of a task that is settled for it.
type NodeExit struct {
	Node string // its identity: one process, never used again
	Name string // the label that it was given
	Host string
	// its process has ended: another one of its name and host is there. Else it fell silent, which a cut looks like
	// too.
	Proven bool
}

func (e *NodeExit) Error() string {
	how := "has not been heard"
	if e.Proven {
		how = "has ended"
	}
	return fmt.Sprintf("fleet: node %s on %s %s with the task in hand", e.Name, e.Host, how)
}

// nodeExit is the record of a node's end for a task that it had.
func nodeExit(n *node, no uint64) pool.Exit {
	return pool.Exit{
		Worker: "node " + n.name + " (" + n.id + ")", Slot: -1, PID: n.pid, Code: -2, Kind: pool.KindUnknown,
		TaskID: no,
	}
}

// lost is the error of a task that nodes ended with.
func lost(t *task, n *node) error {
	return errors.Join(
		&pool.WorkerLostError{Attempts: len(t.exits), Exits: t.exits},
		&NodeExit{Node: n.id, Name: n.name, Host: n.host, Proven: n.state == ended},
	)
}
