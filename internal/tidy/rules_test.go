package tidy

import "strings"

// rule is one rule that can be checked a file at a time. bad and good are files that break and keep it: the proof that
// the rule can fail, and that it does not fail on everything.
type rule struct {
	name    string
	why     string
	instead string
	check   func(*file) []finding
	bad     []example
	good    []example
}

// example is a file; line is where a bad one breaks the rule.
type example struct {
	path string
	text string
	line int
}

var rules = []rule{
	{
		name:    "short functions",
		why:     "a function fits on a screen",
		instead: "give the part that has a purpose of its own a name",
		check:   shortFuncs,
		bad:     []example{{"a/a.go", "package a\n\nfunc f() {\n" + lines(maxFuncLines-1) + "}\n", 3}},
		good:    []example{{"a/a.go", "package a\n\nfunc f() {\n" + lines(maxFuncLines-2) + "}\n", 0}},
	},
	{
		name: "documented exports",
		why: "an exported name is a promise: its meaning, units, bounds, zero value, concurrency and " +
			"errors are told",
		instead: "write the comment, or do not export it",
		check:   documented,
		bad: []example{
			{"a/a.go", "package a\n\nfunc F() {}\n", 3},
			{"a/a.go", "package a\n\ntype T int\n", 3},
			{"a/a.go", "package a\n\nvar V int\n", 3},
			{"a/a.go", "package a\n\nconst (\n\tx = 1\n\tC = 2\n)\n", 5},
			{"a/a.go", "package a\n\n// T is.\ntype T int\n\nfunc (t *T) M() {}\n", 6},
			{"a/a.go", "package a\n\n// T is.\ntype T[p any] int\n\nfunc (t *T[p]) M() {}\n", 6},
		},
		good: []example{
			{
				"a/a.go",
				"package a\n\n// F does.\nfunc F() {}\n\n// T is.\ntype T int\n\n// M does.\nfunc (t T) M() {}\n", 0,
			},
			{"a/a.go", "package a\n\n// These are.\nconst (\n\tA = 1\n\tB = 2\n)\n\nvar (\n\tV = 1 // is\n)\n", 0},
			{"a/a.go", "package a\n\ntype t[P any] int\n\nfunc (t t[P]) M() {}\n", 0},
			{"a/a.go", "package a\n\n// E is.\ntype E struct{}\n\nfunc (e *E) Error() string { return \"\" }\n", 0},
			{"a/a_test.go", "package a\n\nfunc TestF() {}\n", 0},
			{"cmd/a/a.go", "package main\n\nfunc F() {}\n", 0},
		},
	},
	{
		name: "no init in libraries",
		why: "who imports a package does not ask it to do anything: what a process is, and what it starts, is " +
			"decided in its main",
		instead: "compute in a package-level variable; serve a role of internal/reexec, which Main plays",
		check:   noInit,
		bad: []example{
			{"a/a.go", "package a\n\nfunc init() {}\n", 3},
			{"internal/a/a.go", "package a\n\nvar x = 1\n\nfunc init() { x++ }\n", 5},
		},
		good: []example{
			{"cmd/a/internal/early/a.go", "package early\n\nfunc init() {}\n", 0},
			{"a/a_test.go", "package a\n\nfunc init() {}\n", 0},
			{"a/a.go", "package a\n\ntype t int\n\nfunc (t) init() {}\n", 0},
		},
	},
	{
		name: "a fault's one place",
		why: "what is known of a fault in two places comes to differ: it was in the engine, the format and " +
			"the schema",
		instead: "a file in chaos/faults and a row in its table; what others must know of a fault is a field of " +
			"chaos.Traits",
		check: faultsPlace,
		bad: []example{
			{"chaos/x.go", "package chaos\n\nfunc (x X) Begin() Injection { return nil }\n", 3},
			{"scenarios/x.go", "package scenarios\n\nfunc (x *X) Begin() chaos.Injection { return nil }\n", 3},
			{"scenarios/y.go", "package scenarios\n\nvar _, is = f.(faults.Pause)\n", 3},
			{
				"scenarios/z.go",
				"package scenarios\n\nfunc f(v any) {\n\tswitch v.(type) {\n\tcase faults.Close:\n\t}\n}\n", 5,
			},
		},
		good: []example{
			{"chaos/faults/x.go", "package faults\n\nfunc (x X) Begin() chaos.Injection { return nil }\n", 0},
			{"chaos/plan.go", "package chaos\n\nfunc (m Mixed) Begin() Injection { return nil }\n", 0},
			{"chaos/x_test.go", "package chaos\n\nfunc (x X) Begin() Injection { return nil }\n", 0},
			{"scenarios/x.go", "package scenarios\n\nvar marker = faults.Poison{Code: 1}.Marker()\n", 0},
		},
	},
	{
		name: "no parsing of sentences",
		why:  "who reads a sentence that we wrote is wrong as soon as somebody writes it better, and nothing tells",
		instead: "errors.Is, errors.As, a field, or words of others where they come in: their output, a " +
			"library's field",
		check: noSentences,
		bad: []example{
			{"a/a.go", "package a\n\nimport \"strings\"\n\nvar x = strings.Contains(err.Error(), \"too long\")\n", 5},
			{
				"a/a.go",
				"package a\n\nimport s \"strings\"\n\nvar x, _ = s.CutPrefix(s.ToLower(f().Error()), \"pool: \")\n", 5,
			},
			{"a/a.go", "package a\n\nimport \"strings\"\n\nvar x = strings.HasPrefix(v.Cause, \"slot \")\n", 5},
			{"a/a.go", "package a\n\nimport \"strings\"\n\nvar x = strings.HasPrefix(i.Text, \"stepdown\")\n", 5},
			{"a/a.go", "package a\n\nimport \"strings\"\n\nvar x, _, _ = strings.Cut(m.Err, \": \")\n", 5},
			{"a/a.go", "package a\n\nvar x = m.Reason == \"it was late\"\n", 3},
			{"a/a.go", "package a\n\nvar x = pattern.FindStringSubmatch(err.Error())\n", 3},
			{"a/a.go", "package a\n\nvar x = err.Error() == \"gone\"\n", 3},
		},
		good: []example{
			{
				"a/a.go",
				"package a\n\nimport \"strings\"\n\nvar x = strings.ReplaceAll(err.Error(), \"\\n\", \" \")\n", 0,
			},
			{"a/a.go", "package a\n\nimport \"strings\"\n\nvar x = strings.Contains(p.Stderr(), \"in use\")\n", 0},
			{"a/a.go", "package a\n\nvar x = fmt.Sprint(v.Cause, err.Error())\n", 0},
			{"a/a.go", "package a\n\nimport \"strings\"\n\nvar x, _, _ = strings.Cut(lines.Text(), \":\")\n", 0},
			{
				"a/a_test.go",
				"package a\n\nimport \"strings\"\n\nvar x = strings.Contains(err.Error(), \"too long\")\n", 0,
			},
		},
	},
	{
		name: "no sleeping tests",
		why: "a sleep is either too short on a slow machine or too long on every other, and hides what is " +
			"waited for",
		instead: "wait on the condition (gomega's Eventually, a channel); a task that is to take time can receive " +
			"from time.After",
		check: noSleep,
		bad: []example{
			{"a/a_test.go", "package a\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n", 5},
			{"a/a_test.go", "package a\n\nimport t \"time\"\n\nvar f = t.Sleep\n", 5},
		},
		good: []example{
			{"a/a.go", "package a\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n", 0},
			{
				"a/a_test.go",
				"package a\n\ntype clock struct{ Sleep func() }\n\nfunc f(time clock) { time.Sleep() }\n", 0,
			},
		},
	},
	{
		name:    "no retried or silent tests",
		why:     "a test that is retried until it passes, or skips without a word, proves nothing",
		instead: "make it wait for its condition; a skip names the capability that this host lacks",
		check:   noRetry,
		bad: []example{
			{"a/a_test.go", "package a\n\nvar _ = It(\"x\", FlakeAttempts(3), func() {})\n", 3},
			{"a/a_test.go", "package a\n\nfunc f(t T) { t.SkipNow() }\n", 3},
			{"a/a_test.go", "package a\n\nfunc f(t T) { t.Skip() }\n", 3},
			{"a/a_test.go", "package a\n\nfunc f(t T) { t.Skip(\"\") }\n", 3},
		},
		good: []example{{"a/a_test.go", "package a\n\nfunc f(t T) { t.Skip(\"no memory cgroup: \", why) }\n", 0}},
	},
	{
		name:    "no drawers",
		why:     "a package that is named for nothing collects everything",
		instead: "name the package for what it holds, or put the function beside its only caller",
		check:   noDrawers,
		bad: []example{
			{"internal/util/a.go", "package util\n", 1},
			{"internal/testutils/a.go", "package testutils\n", 1},
			{"a/a.go", "package helpers\n", 1},
		},
		good: []example{{"internal/cgroup/a.go", "package cgroup\n", 0}},
	},
	{
		name:    "no loose ends",
		why:     "a note to oneself in the code is a promise that nobody tracks",
		instead: "do it, or open an issue and leave the code without the note",
		check:   noLooseEnds,
		bad: []example{
			{"a/a.go", "package a\n\n// " + "TO" + "DO: more\n", 3},
			{".ci/run", "#!/bin/sh\n# " + "FIX" + "ME\n", 2},
		},
		good: []example{{"a/a.go", "package a\n\n// mktemp respawn.XXXXXX\n", 0}},
	},
	{
		name:    "nothing of one machine",
		why:     "the repository is read and built everywhere: paths and hosts of one machine are wrong on all others",
		instead: "a relative path, a temporary directory, or what `go env` and the tools' own settings say",
		check:   noMachine,
		bad: []example{
			{"README.md", "see\n/ho" + "me/alice/x\n", 2},
			{"Makefile", "GOPROXY=https://pro" + "xy.golang.org\n", 1},
			{"package-lock.json", "{\n\"resolved\": \"https://regi" + "stry.npmjs.org/x\"}\n", 2},
			{"docs/a.md", "as ../sha" + "red/DESIGN.md says\n", 1},
			{"a/a.go", "package a\n\nconst p = \"/ro" + "ot/x\"\n", 3},
		},
		good: []example{{"README.md", "https://pkg.go.dev, /proc/self/exe, /tmp\n", 0}},
	},
	{
		name:    "gofmt",
		why:     "formatting is not discussed",
		instead: "make fmt",
		check:   formatted,
		bad:     []example{{"a/a.go", "package a\nvar  x int\n", 1}},
		good:    []example{{"a/a.go", "package a\n\nvar x int\n", 0}},
	},
	{
		name:    "narrow lines",
		why:     "two files fit beside each other on a screen, and a comment is read without losing the line",
		instead: "break the line between arguments, elements or operands, and a text with +; fill a comment again",
		check:   longLines,
		bad: []example{
			{"a/a.go", "package a\n\n// " + letters(maxColumns-2) + "\n", 3},
			{"a/a.go", "package a\n\nfunc f() {\n\tf() // " + letters(maxColumns-tabColumns-6) + "\n}\n", 4},
			{"a/a_test.go", "package a\n\nvar x = \"" + letters(maxColumns) + "\"\n", 3},
			{"a/a.go", "package a\n\nvar " + letters(maxColumns-20) + " = `" + letters(20) + "`\n", 3},
		},
		good: []example{
			{"a/a.go", "package a\n\n// " + letters(maxColumns-3) + "\n", 0},
			{"a/a.go", "package a\n\n// " + strings.Repeat("→", maxColumns-3) + "\n", 0},
			{"a/a.go", "package a\n\nfunc f() {\n\tf() // " + letters(maxColumns-tabColumns-7) + "\n}\n", 0},
			{"a/a.go", "package a\n\ntype t struct {\n\tA int `doc:\"" + letters(maxColumns) + "\"`\n}\n", 0},
			{"a/a.go", "package a\n\nvar x = `\n" + letters(2*maxColumns) + "`\n", 0},
			{"README.md", letters(2*maxColumns) + "\n", 0},
		},
	},
	{
		name:    "go.mod",
		why:     "the module is built with one Go version, under its own name, with published dependencies only",
		instead: "go 1.26 and no replace",
		check:   goMod,
		bad: []example{
			{"go.mod", "module " + module + "\n\ngo 1.25\n", 3},
			{"go.mod", "module example.com/fork\n\ngo 1.26\n", 1},
			{"go.mod", "module " + module + "\n\ngo 1.26\n\nreplace a => ../a\n", 5},
			{"go.mod", "module " + module + "\n\ngo 1.26\n\nreplace (\n\ta => ../a\n)\n", 5},
		},
		good: []example{
			{"go.mod", "module " + module + "\n\ngo 1.26.0\n\nrequire a v1.0.0\n", 0},
			{"examples/go.mod", "module x\n\ngo 1.20\n", 0},
		},
	},
}
