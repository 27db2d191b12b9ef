package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/respawn-go/respawn/scenarios"
	"github.com/respawn-go/respawn/scenarios/targets/attach"
	"github.com/respawn-go/respawn/scenarios/targets/kind"
)

// attachFlags is what the command line says of processes that somebody else started.
type attachFlags struct {
	attach, dry, yes, remote bool
}

func (a *attachFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&a.attach, "attach", false, "allow scenarios to strike processes that run already: lists them, and asks")
	f.BoolVar(&a.dry, "dry-run", false, "with --attach: list the processes, and do nothing")
	f.BoolVar(&a.yes, "yes", false, "with --attach: do not ask, for CI")
	f.BoolVar(&a.remote, "remote", false, "allow scenarios to load other machines")
}

// errDry ends a command that was only to look.
var errDry = errors.New("this was only to look")

// consented looks at what the scenarios would strike that somebody else started, shows it, and asks. errDry: that was
// all.
func (a attachFlags) consented(cmd *cobra.Command, list []*scenarios.Scenario) error {
	if (a.dry || a.yes) && !a.attach {
		return usage("--dry-run and --yes go with --attach")
	}
	for _, s := range list {
		if s.Remote() && !a.remote {
			return usage("%s: its load goes to another machine: --remote allows that", s.Name)
		}
		if !a.attach {
			if _, attaches := s.Target.Settings.(kind.Looker); attaches {
				return usage("%s strikes processes that run already: --attach allows that, and lists them first; "+
					"--attach --dry-run only lists them", s.Name)
			}
			continue
		}
		seen, attaches, err := s.Attached()
		switch {
		case err != nil:
			return usage("%w", err)
		case !attaches:
			continue
		}
		show(cmd.ErrOrStderr(), s, seen)
		if a.dry || a.yes {
			continue
		}
		if err := ask(cmd.InOrStdin(), cmd.ErrOrStderr()); err != nil {
			return err
		}
	}
	if a.dry {
		return errDry
	}
	return nil
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}

// show lists who would be struck, and by what.
func show(w io.Writer, s *scenarios.Scenario, seen kind.Seen) {
	fmt.Fprintf(w, "%s would strike %s, %s now:\n", s.Name, seen.What, processes(len(seen.Members)))
	for _, line := range attach.Describe(seen) {
		fmt.Fprintln(w, "  "+printable(line))
	}
	fmt.Fprintf(w,
		"with %s, of which %d at least stay alive. Nothing else is touched, and nothing is ended with the run.\n",
		strings.Join(s.Faults(), ", "), s.LeastAlive())
}

// ask wants a yes.
func ask(in io.Reader, w io.Writer) error {
	if !isTerminal(in) {
		return usage("nobody can be asked whether this is meant: standard input is no terminal; --yes says that it is")
	}
	fmt.Fprint(w, "Go on? [y/N] ")
	answer, _ := bufio.NewReader(in).ReadString('\n')
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return usage("nothing was done")
	}
	return nil
}

// how is how it was consented, for the record.
func (a attachFlags) how() string {
	if a.yes {
		return "--attach --yes"
	}
	return "--attach, listed and answered with yes"
}

// consent is for the run itself, of which the processes were shown before.
func (a attachFlags) consent(seen kind.Seen) (string, error) {
	var pids []string
	for _, id := range seen.Members {
		pids = append(pids, fmt.Sprint(id.PID))
	}
	return fmt.Sprintf("%s: %s, processes %s", a.how(), seen.What, strings.Join(pids, ", ")), nil
}
