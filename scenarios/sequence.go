package scenarios

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/respawn-go/respawn/chaos"
)

// Strike is one injection of a plan, as a scenario has it: a fault, a time, and one victim.
type Strike struct {
	At    time.Duration // since the beginning of the chaos stage
	Fault string        // in YAML: "{signal: KILL}"
	Whole bool          // it befalls the target as a whole: nothing below is set
	Slot  int           // of the victim; below 0: any
	Role  string        // that the victim must have; "" for one that runs tasks
	State string        // the victim must be in: "busy", …; "" for any
	Phase string        // the same: "writing", …
	In    string        // the system call, likewise
}

// Strikes is what a replay injects, one strike a victim, in the order of their times.
func (r *Replay) Strikes() ([]Strike, error) {
	s := r.Scenario
	var list []Strike
	for _, shot := range r.Shots {
		path, err := s.pathOfFault(shot)
		if err != nil {
			return nil, err
		}
		fault, err := inline(s.at[path])
		if err != nil {
			return nil, err
		}
		pick := s.Chaos[shot.Nemesis].Pick
		one := Strike{
			At: shot.At.Round(time.Microsecond), Fault: fault, Slot: -1, Role: pick.Role, State: pick.State,
			Phase: pick.Phase, In: pick.In,
		}
		if len(shot.Aims) == 0 || shot.Fault.Traits().Whole {
			list = append(list, Strike{At: one.At, Fault: fault, Whole: true})
			continue
		}
		for _, aim := range shot.Aims {
			one.Slot = aim.Slot
			list = append(list, one)
		}
	}
	slices.SortStableFunc(list, func(a, b Strike) int { return cmp.Compare(a.At, b.At) })
	return list, nil
}

// pathOfFault is where the fault of a shot is written: of a mix, the one that was drawn.
func (s *Scenario) pathOfFault(shot chaos.Shot) (string, error) {
	path := fmt.Sprintf("chaos.%d.fault", shot.Nemesis)
	for i, w := range s.Chaos[shot.Nemesis].Fault.Mixed {
		if w.Fault.engine().String() == shot.Fault.String() {
			return fmt.Sprintf("%s.mixed.%d.fault", path, i), nil
		}
	}
	if _, ok := s.at[path]; !ok {
		return "", fmt.Errorf("the scenario has no %s", path)
	}
	return path, nil
}

// inline is a value on one line.
func inline(n *yaml.Node) (string, error) {
	n = clone(n)
	var flow func(*yaml.Node)
	flow = func(n *yaml.Node) {
		n.HeadComment, n.LineComment, n.FootComment = "", "", ""
		if n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode {
			n.Style = yaml.FlowStyle
		}
		for _, c := range n.Content {
			flow(c)
		}
	}
	flow(n)
	text, err := dump(n)
	return strings.Join(strings.Fields(string(text)), " "), err
}

// Sequence is the text of a scenario with these strikes in place of its faults, after settings as of Options.Set. Its
// short form is left out, since that may change what is no longer there. The mistakes of what comes of it are
// [Problems].
func (s *Scenario) Sequence(name, description string, strikes []Strike, set []string) ([]byte, error) {
	d := &decoder{file: s.file, at: map[string]*yaml.Node{}}
	root, ok := d.document(s.text)
	if !ok {
		return nil, d.problems
	}
	root = clone(root)
	for _, key := range []string{shortKey, "chaos"} {
		if i, value := lookup(root, key); value != nil {
			root.Content = slices.Delete(root.Content, i, i+2)
		}
	}
	if len(strikes) > 0 {
		var entries yaml.Node
		if err := yaml.Load([]byte(entriesOf(strikes)), &entries); err != nil {
			return nil, err
		}
		root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "chaos"}, entries.Content[0])
	}
	d.rename(root, name, description)
	root = d.set(root, set)
	if len(d.problems) > 0 {
		return nil, d.problems
	}
	text, err := dump(root)
	if err != nil {
		return nil, err
	}
	if text, err = Format(s.file, text); err != nil {
		return nil, err
	}
	_, err = Parse(s.file, text, Options{})
	return text, err
}

// rename puts in a name and what the scenario shows.
func (d *decoder) rename(root *yaml.Node, name, description string) {
	for key, value := range map[string]string{"name": name, "description": description} {
		node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
		d.put(root, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, node)
	}
}

// entriesOf is a chaos list: an entry for those that differ only in their times.
func entriesOf(strikes []Strike) string {
	var order []Strike
	times := map[Strike][]string{}
	for _, one := range strikes {
		kind := one
		kind.At = 0
		if _, ok := times[kind]; !ok {
			order = append(order, kind)
		}
		times[kind] = append(times[kind], one.At.String())
	}
	var b strings.Builder
	for _, kind := range order {
		fmt.Fprintf(&b, "- fault: %s\n", kind.Fault)
		if !kind.Whole {
			fmt.Fprintf(&b, "  pick: %s\n", kind.pick())
		}
		fmt.Fprintf(&b, "  when: {sequence: [%s]}\n", strings.Join(times[kind], ", "))
	}
	return b.String()
}

// pick is who is struck, in YAML.
func (s Strike) pick() string {
	who := []string{"slot: " + strconv.Itoa(s.Slot)}
	if s.Slot < 0 {
		who[0] = "random: 1"
	}
	if s.Role != "" {
		who = append(who, "role: "+s.Role)
	}
	if s.State != "" {
		who = append(who, "state: "+s.State)
	}
	if s.In != "" {
		who = append(who, "in: "+s.In)
	}
	if s.Phase != "" {
		who = append(who, "phase: "+s.Phase)
	}
	return "{" + strings.Join(who, ", ") + "}"
}

// Size is how many members the target is to have, 0 when the scenario does not say.
func (s *Scenario) Size() int { return s.Target.members() }

// ofSize are conditions that name the size.
var ofSize = regexp.MustCompile(`\b(?:pool\.(?:ready|want|size)|slots\.answering)(?:\.[a-z]+)? *[=<>!]+ *(\d+)\b`)

// Resized is the settings that give the target another size, in the conditions that name it too.
func (s *Scenario) Resized(size int) (set []string) {
	set = append(set, fmt.Sprintf("target.%s.size=%d", s.Target.Kind, size))
	for group, list := range map[string][]Condition{"steady": s.Steady, "expect": s.Expect, "abort": s.Abort} {
		for i, c := range list {
			at := ofSize.FindStringSubmatchIndex(string(c))
			if at != nil && string(c)[at[2]:at[3]] == strconv.Itoa(s.Size()) {
				text := string(c)[:at[2]] + strconv.Itoa(size) + string(c)[at[3]:]
				set = append(set, fmt.Sprintf("%s.%d=%q", group, i, text))
			}
		}
	}
	slices.Sort(set)
	return set
}
