package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/fleet"
)

func statusCommand() *cobra.Command {
	var r reach
	var asJSON bool
	var task string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Who is there, what waits, and why",
		Long: `status shows nodes, owners (the processes that submit tasks), who is suspected of what, and what the queue holds. With --task it says
what becomes of one task and why it waits. A task is named by its number (TaskID of its future), by its owner's identity (ID of the
fleet that Dial gave) and number as OWNER.NUMBER, or by its key (pool.WithKey). One that has settled is known to nobody any more.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			var s *fleet.Status
			if cmd.Flags().Changed("task") {
				if s, err = fleet.ReadTask(cmd.Context(), r.get(), task); err == nil && len(s.Tasks) == 0 {
					err = fmt.Errorf("no owner that answers has a task %q that has not settled: %s", task, owners(s))
				}
			} else {
				s, err = fleet.ReadStatus(cmd.Context(), r.get())
			}
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(cmd.OutOrStdout(), s)
			case len(s.Tasks) > 0:
				printTasks(cmd.OutOrStdout(), s)
			default:
				printStatus(cmd.OutOrStdout(), s)
			}
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	cmd.Flags().StringVar(&task, "task", "", "why does this one wait? its number, OWNER.NUMBER, or its key")
	return cmd
}

// owners says who was asked.
func owners(s *fleet.Status) string {
	answer, silent := 0, 0
	for _, o := range s.Owners {
		if o.Answers {
			answer++
		} else {
			silent++
		}
	}
	if silent > 0 {
		return fmt.Sprintf("%d answered, %d with tasks in the queue did not", answer, silent)
	}
	return fmt.Sprintf("%d answered", answer)
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func printStatus(w io.Writer, s *fleet.Status) {
	fmt.Fprintf(w, "fleet %s: %d stored, %d of them at nodes (%s, NATS %s, %v away)\n",
		s.Fleet, s.Stored, s.AtNodes, kept(s), s.Broker, time.Duration(s.RTT).Round(10*time.Microsecond))
	if s.Paused > 0 {
		fmt.Fprintf(w, "the queue is paused%s: respawn-fleet resume goes on\n", pausedFor(s))
	}
	for _, r := range s.Behind {
		fmt.Fprintf(w, "broker %s is %s, %d operations behind\n",
			r.Server, map[bool]string{true: "away", false: "catching up"}[r.Away], r.Lag)
	}
	if len(s.Nodes) == 0 {
		fmt.Fprintln(w, "no node is there: respawn-fleet node starts one")
	}
	for _, n := range s.Nodes {
		fmt.Fprintf(w, "  %-20s %3d workers  %s\n", n.Name, n.Workers, n.ID)
	}
	for _, o := range s.Owners {
		if !o.Answers {
			fmt.Fprintf(w, "owner %s does not answer, and has %d tasks in the queue: it ended, and nodes drop them a "+
				"minute after they get them, or it is cut off\n", o.ID, o.Stored)
			continue
		}
		fmt.Fprintf(w, "owner %s (pid %d on %s): %d outstanding", o.ID, o.PID, o.Host, o.Outstanding)
		if o.Outstanding > 0 {
			fmt.Fprintf(w, ", the oldest for %s; %d wait for room in the queue", ago(o.Oldest), o.Waiting)
		}
		fmt.Fprintln(w)
		if o.Stats != (fleet.Stats{}) {
			fmt.Fprintf(w, "  since its start: %d times a task was stored again that the broker had lost, %d results "+
				"refused, %d tasks given up\n", o.Repaired, o.Stale, o.Abandoned)
		}
		if o.Blind {
			fmt.Fprintln(w,
				"  it was cut off from the broker or held up just now, and judges nobody until two seconds later")
		}
		for _, n := range o.Nodes {
			if why := suspicion(n); why != "" {
				fmt.Fprintf(w, "  node %s (%s) is %s\n", n.Name, n.ID, why)
			}
		}
		for _, t := range o.Suspects {
			fmt.Fprintf(w, "  task %s.%d (%s) is suspected: %s\n", t.Owner, t.ID, t.Task, suspected(t))
		}
	}
}

// kept says where the queue is.
func kept(s *fleet.Status) string {
	switch {
	case s.Storage == "":
		return "no owner has made the queue yet"
	case s.Kept == 1:
		return fmt.Sprintf("queue in %s at one broker", s.Storage)
	}
	return fmt.Sprintf("queue in %s at %d brokers", s.Storage, s.Kept)
}

func pausedFor(s *fleet.Status) string {
	if d := time.Duration(s.Paused); d < 10*365*24*time.Hour {
		return " for " + d.Round(time.Second).String()
	}
	return ""
}

func ago(m fleet.Milliseconds) string {
	d := time.Duration(m)
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// suspicion is what an owner holds against a node, in words.
func suspicion(n fleet.NodeInfo) string {
	switch n.State {
	case "suspect":
		return fmt.Sprintf("suspected: the broker says that nobody listens at its address (%d times in a row), and "+
			"it was last heard %s ago; its tasks may run elsewhere, and nobody is blamed",
			n.Refusals, ago(n.Silent))
	case "gone":
		return fmt.Sprintf("given up: it was last heard %s ago. It may be stopped or cut off: nobody is blamed",
			ago(n.Silent))
	case "ended":
		return "dead: another process of its name on its host has taken its place; what ran there is blamed"
	}
	if n.Suspect > 0 {
		return fmt.Sprintf("alive, and runs the suspected task %d with nothing beside it", n.Suspect)
	}
	return ""
}

// suspected is what is held against a task, in words.
func suspected(t fleet.TaskInfo) string {
	text := fmt.Sprintf("%d nodes were lost with it, %d of a budget of %d ends are its own; it runs alone at its node",
		t.NodesLost, t.Blamed, t.Budget)
	if t.RunsIn > 0 {
		text += fmt.Sprintf(", in %s at the earliest", ago(t.RunsIn))
	}
	return text
}

func printTasks(w io.Writer, s *fleet.Status) {
	for _, t := range s.Tasks {
		fmt.Fprintf(w, "task %s.%d: %s, %s, submitted %s ago, key %s\n",
			t.Owner, t.ID, t.Task, t.Delivery, ago(t.Age), t.Key)
		fmt.Fprintf(w, "  %s: %s\n", t.State, why(s, t))
		for _, h := range t.Holders {
			fmt.Fprintf(w, "  at %s (%s), which is %s: %s\n", h.Name, h.Node, h.State, h.Task)
		}
		if t.NodesLost >= 2 {
			fmt.Fprintf(w, "  suspected: %s\n", suspected(t))
		}
		for _, e := range t.Exits {
			fmt.Fprintf(w, "  lost before: %s\n", e)
		}
	}
}

// why a task is where it is, and what would help.
func why(s *fleet.Status, t fleet.TaskInfo) string {
	switch t.State {
	case fleet.TaskWaiting:
		return "its owner has as many others in the queue as one may have (16,384 tasks, or 16 MiB of arguments); it " +
			"follows when these settle"
	case fleet.TaskStoring:
		return "the broker has not confirmed that it has it; it is put there again each second. Is a majority of the " +
			"brokers up? Is the queue full?"
	case fleet.TaskReturned:
		return returned(t)
	case fleet.TaskHeld:
		return "a node has it, and it has not started: its workers are busy, or it waits for its owner's word"
	case fleet.TaskRunning:
		return "it runs"
	case fleet.TaskDone:
		return "it has run, and its result is on the way to its owner"
	}
	switch {
	case s.Paused > 0:
		return fmt.Sprintf("the queue is paused%s: respawn-fleet resume goes on", pausedFor(s))
	case len(s.Nodes) == 0:
		return "no node is there: start one"
	case t.OwnerBlind:
		return "its owner was cut off or held up just now, and waits for the word of nodes that may have it"
	case t.RunsIn > 0:
		return fmt.Sprintf("nodes were lost with it: it runs again in %s", ago(t.RunsIn))
	case t.Ahead > 0:
		return fmt.Sprintf("%d others are before it, and %d nodes work on them", t.Ahead, len(s.Nodes))
	case t.Returned > 0:
		return returned(t)
	}
	return "it is the next that a node with a free worker takes; if one has taken it and is lost, its owner looks " +
		"for it within five seconds"
}

func returned(t fleet.TaskInfo) string {
	text := fmt.Sprintf("nodes gave it back %d times: their pools are full, closed, or do not come up", t.Returned)
	switch t.Misfit {
	case "unknown task":
		text = fmt.Sprintf("nodes gave it back %d times: no program there registers %q; start nodes of one that does",
			t.Returned, t.Task)
	case "other workers":
		text = fmt.Sprintf(
			"nodes gave it back %d times: it is for workers in another language than theirs (docs/workers.md)",
			t.Returned)
	}
	if t.RunsIn > 0 {
		text += fmt.Sprintf("; it is offered again in %s", ago(t.RunsIn))
	}
	return text
}

func drainCommand() *cobra.Command {
	var r reach
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Have a node finish what runs, take nothing new, and end",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{errors.New("drain wants one node's name: respawn-fleet status lists them")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := fleet.Drain(cmd.Context(), r.get(), args[0])
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "told %d to drain\n", n)
			}
			return err
		},
	}
	r.flags(cmd)
	return cmd
}

func pauseCommand() *cobra.Command {
	var r reach
	var d time.Duration
	cmd := &cobra.Command{
		Use:   "pause",
		Short: "Have the broker hand out nothing more",
		Long: `pause has the broker hand out nothing more, until respawn-fleet resume or for as long as --for says. What nodes have goes on; programs
may submit. It takes a broker of nats-server 2.11 or later; one that forgets its queue forgets the pause with it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("for") && d <= 0 {
				return &usageError{
					fmt.Errorf("--for %v: want a positive duration, or none for a pause until it is resumed", d),
				}
			}
			err := fleet.Pause(cmd.Context(), r.get(), d)
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), "paused; respawn-fleet resume goes on")
			}
			return err
		},
	}
	r.flags(cmd)
	cmd.Flags().DurationVar(&d, "for", 0, "how long, by the broker's clock (default: until it is resumed)")
	return cmd
}

func resumeCommand() *cobra.Command {
	var r reach
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "End a pause",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := fleet.Resume(cmd.Context(), r.get())
			if err == nil {
				fmt.Fprintln(cmd.OutOrStdout(), "it goes on")
			}
			return err
		},
	}
	r.flags(cmd)
	return cmd
}

func purgeCommand() *cobra.Command {
	var r reach
	var yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "purge --yes",
		Short: "Give up all tasks that no node has",
		Long: `purge has every owner settle what no node has, with fleet.ErrPurged, and takes it out of the queue. Tasks of owners that do not answer
within a second are removed; an owner that lives puts them there again. What nodes have goes on.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes {
				return &usageError{errors.New("purge gives up all tasks that wait, of all programs: say --yes if " +
					"that is meant; respawn-fleet status counts them")}
			}
			p, err := fleet.Purge(cmd.Context(), r.get())
			switch {
			case err != nil:
				return err
			case asJSON:
				return printJSON(cmd.OutOrStdout(), p)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d tasks settled by %d owners, %d removed of owners that are gone\n",
				p.Settled, p.Owners, p.Removed)
			return nil
		},
	}
	r.flags(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "it is meant")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}
