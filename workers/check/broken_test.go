package check_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/respawn-go/respawn/internal/takes"
	"github.com/respawn-go/respawn/workers/check"
)

// bug is one bug of an SDK: text of it, what stands there instead, and by what name and in which step the check catches
// it.
type bug struct {
	does     string
	old, new string
	step     string
	kind     check.Kind
}

var pythonBugs = []bug{
	{"reads tickets in a buffer", `
                data = os.read(_TICKETS, _ticket.size)`, `
                if not getattr(self, "hoard", b""):
                    self.hoard = os.read(_TICKETS, 4096)
                data, self.hoard = self.hoard[:4], self.hoard[4:]`, "tickets", check.Hoards},
	{
		"counts attempts from 0", "        self.attempt = attempt", "        self.attempt = attempt - 1", "witness",
		check.WrongWitness,
	},
	{
		"forgets tickets", "        if self.ticket is None:\n            self.alone()",
		"        return True\n        if 1:", "tasks", check.NoTicket,
	},
	{"tears tickets", "            (self.ticket,) = _ticket.unpack(data)", "            os.read(_TICKETS, 2)\n" +
		"            (self.ticket,) = _ticket.unpack(data)", "tickets", check.TornTicket},
	{
		"forges tickets", "        self.current = None\n        del argument", "        self.current = None\n" +
			`        os.write(os.open("/proc/self/fd/5", os.O_WRONLY), b"...." * 100)` + "\n        del argument",
		"tasks", check.ForgedTicket,
	},
	{
		"runs a revoked task", "            except BlockingIOError:\n                return False",
		"            except BlockingIOError:\n" +
			"                return True", "taken back", check.TakenBack,
	},
	{
		"runs each frame before the ticket's", "        if self.ticket != seq:\n            return False",
		"        if self.ticket != seq:\n" +
			"            return True", "taken back", check.TakenBack,
	},
	{
		"writes results of another thread", "        self.send(kind, result, head, max(took, 0), by)",
		"        self.send(kind, result, head, max(took, 0), by)\n" +
			"        threading.Thread(target=lambda: (self.send(kind, result, head), self.flush())).start()", "tasks",
		check.AnsweredTwice,
	},
	{
		"answers twice", "        self.send(kind, result, head, max(took, 0), by)",
		"        self.send(kind, result, head, max(took, 0), by)\n" +
			"        self.send(kind, result, head, max(took, 0), by)", "tasks", check.AnsweredTwice,
	},
	{
		"answers with a foreign number", "            id, seq = head[4], head[5]",
		"            id, seq = head[4], head[5] + 1", "tasks", check.Unasked,
	},
	{
		"answers with a foreign id", "            id, seq = head[4], head[5]",
		"            id, seq = 0, head[5]", "tasks", check.Unasked,
	},
	{
		"echoes the header", "_header.pack(size, kind, flags, 0,", "_header.pack(size, kind, flags, 7,", "ready",
		check.BadField,
	},
	{
		"counts run time in another unit", "head, max(took, 0), by)", "head, max(took, 0) * 1000, by)", "tasks",
		check.WrongTime,
	},
	{"reports no run time", "head, max(took, 0), by)", "head)", "tasks", check.WrongTime},
	{"prints into the socket", "        self.current = None\n        del argument", "        self.current = None\n" +
		`        os.write(3, b"an answer for people, in more words than a header has bytes\n")` +
		"\n        del argument", "tasks", check.Rubbish},
	{
		"never flushes when it waits", "poll.poll(0):\n            self.flush()", "poll.poll(0):\n            pass",
		"tasks", check.NoAnswer,
	},
	{
		"flushes only when it waits", "        if self.out_size and (mean is None or mean >= _LONG_NS):",
		"        if 0:", "answers in time",
		check.HoldsBack,
	},
	{
		"ignores SIGTERM",
		"signal.signal(signal.SIGTERM, lambda *_: os.write(self.signalled, bytes([signal.SIGTERM])))",
		"signal.signal(signal.SIGTERM, signal.SIG_IGN)", "SIGTERM", check.Deaf,
	},
	{
		"dies of SIGTERM",
		"signal.signal(signal.SIGTERM, lambda *_: os.write(self.signalled, bytes([signal.SIGTERM])))",
		"pass", "SIGTERM", check.ExitCode,
	},
	{"stops on SIGTERM without a word", "            self.send(_GOODBYE, b\"\")\n", "", "SIGTERM", check.Deaf},
	{
		"runs what is behind after SIGTERM", "                if self.stopping:\n                    break",
		"                pass", "SIGTERM", check.Deaf,
	},
	{"minds SIGINT", "signal.signal(signal.SIGINT, signal.SIG_IGN)", "pass", "SIGTERM idle", check.Died},
	{
		"exits with 1", "        os._exit(0)\n\n\ndef _failure", "        os._exit(1)\n\n\ndef _failure", "stop",
		check.ExitCode,
	},
	{
		"does not stop", "        elif kind == _STOP:\n            self.stop()",
		"        elif kind == _STOP:\n            pass", "stop", check.Lingers,
	},
	{
		"obeys no orders while a handler runs", "                current.cancelled = True",
		"                pass", "cancel", check.Deaf,
	},
	{
		"forks and returns", "os.register_at_fork(after_in_child=self.forked)",
		"self.alone = lambda: None", "fork", check.TwoWorkers,
	},
	{
		"leaks a child", "        self.lock = threading.Lock()  # for out",
		`        __import__("subprocess").Popen(["sleep", "600"])` + "\n" +
			"        self.lock = threading.Lock()  # for out", "stop", check.ChildrenLeft,
	},
	{
		"outlives the pool", "    if os.getpid() == pid:\n        if",
		"    if os.getpid() == pid:\n        time.sleep(600)\n        if",
		"end of control", check.Lingers,
	},
	{"outlives the task socket", "        waiting.register(_TASKS, 0)", "        pass", "end of tasks", check.Lingers},
	{
		"leaves its group when the pool ends", "            os.killpg(pid, signal.SIGKILL)",
		"            pass", "end of control", check.ChildrenLeft,
	},
	{"passes its descriptors on", "        os.set_inheritable(_fd, False)", "        pass", "ready", check.Leaks},
	{
		"passes its marker on", `os.environ.pop("RESPAWN_PROTOCOL", None)`,
		`os.environ.get("RESPAWN_PROTOCOL")`, "what it starts", check.Leaks,
	},
	{
		"speaks whatever the pool speaks", `hello.get("protocol") != PROTOCOL`, "0", "other protocol",
		check.OtherProtocol,
	},
	{"lies about its pid", `"pid": self.pid`, `"pid": 1`, "ready", check.ForeignPID},
	{"says ready in another number", `{"protocol": PROTOCOL`, `{"protocol": 2`, "ready", check.OtherProtocol},
	{"says nothing", "        self.send(_READY", "        return\n        self.send(_READY", "ready", check.NoAnswer},
	{"serves without a pool", "        sys.exit(2)\n", "        sys.exit(0)\n", "no pool", check.ExitCode},
	{"knows no limit", "        if len(data) > self.limit:", "        if 0:", "bytes", check.Died},
	{
		"takes any text", `_decode(str(argument, "utf-8"))`, `_decode(str(argument, "utf-8", "replace"))`,
		"misfits", check.WrongKind,
	},
	{
		"sends errors as text", `    return _encode(described).encode("utf-8", "backslashreplace")`,
		`    return message.encode()`, "errors", check.BadJSON,
	},
	{
		"keeps a view of the arena", "        if flags & _ARENA and self.kept():",
		"        if 0:", "shared memory", check.KeepsView,
	},
	{"overwrites results", "        if not self.room.is_set():", "        if 0:", "shared memory", check.Overwrites},
	{
		"names another place", "_ref.pack(0, len(payload))", "_ref.pack(1 << 62, len(payload))", "shared memory",
		check.BadField,
	},
	{
		"dies of an unknown task", "        if index >= len(self.functions):",
		"        if 0:", "unknown task", check.Died,
	},
}

var nodeBugs = []bug{
	{
		"reads tickets in a buffer",
		"      const b = Buffer.alloc(4);\n      let n;\n      try {\n        n = fs.readSync(TICKETS, b, 0, 4, null);",
		"      let b = this.hoard ?? Buffer.alloc(0), n = 4;\n      try {\n        if (b.length < 4) {\n" +
			"          b = Buffer.alloc(4096);\n" +
			"          b = b.subarray(0, fs.readSync(TICKETS, b, 0, 4096, null));\n        }\n" +
			"        this.hoard = b.subarray(4);", "tickets", check.Hoards,
	},
	{
		"forgets tickets", "    if (this.ticket < 0) {", "    return true;\n    if (this.ticket < 0) {",
		"tasks", check.NoTicket,
	},
	{
		"runs a revoked task", `if (e.code === "EAGAIN") return false;`, `if (e.code === "EAGAIN") return true;`,
		"taken back", check.TakenBack,
	},
	{
		"answers twice", "    this.send(kind, result, frame, took);",
		"    this.send(kind, result, frame, took);\n    this.send(kind, result, frame, took);",
		"tasks", check.AnsweredTwice,
	},
	{
		"answers with a foreign number", "head.writeUInt32LE(frame.seq, 16);", "head.writeUInt32LE(frame.seq + 1, 16);",
		"tasks", check.Unasked,
	},
	{
		"prints into the socket", "    this.current = null;\n    if (entry)", "    this.current = null;\n" +
			`    fs.writeSync(3, "an answer for people, in more words than a header has bytes\n");` +
			"\n    if (entry)",
		"tasks", check.Rubbish,
	},
	{
		"never flushes when it waits", "    if (this.stopping) this.exit();\n    else this.flush();",
		"    if (this.stopping) this.exit();", "tasks",
		check.NoAnswer,
	},
	{
		"flushes only when it waits", "    if (this.outSize && !(entry?.mean < LONG_MS)) this.flush();",
		"", "answers in time", check.HoldsBack,
	},
	{
		"ignores SIGTERM", `process.on("SIGTERM", () => this.goodbye());`,
		`process.on("SIGTERM", () => {});`, "SIGTERM",
		check.Deaf,
	},
	{"dies of SIGTERM", `process.on("SIGTERM", () => this.goodbye());`, "", "SIGTERM", check.ExitCode},
	{"outlives the pool", "function orphaned() {", "function orphaned() {\n  return;", "end of control", check.Lingers},
	{
		"speaks whatever the pool speaks", "if (hello.protocol !== protocol) {", "if (false) {", "other protocol",
		check.OtherProtocol,
	},
	{"passes its marker on", "delete process.env.RESPAWN_PROTOCOL;", "", "what it starts", check.Leaks},
	{"takes any text", "{ fatal: true, ignoreBOM: true }", "{ ignoreBOM: true }", "misfits", check.WrongKind},
}

// hasty is short only where that bug makes the check wait until it is over, so that a slow host fails nothing.
func hasty(b bug) (limits check.Timeouts) {
	const short = 2 * time.Second
	switch b.kind {
	case check.NoAnswer:
		limits.Boot, limits.Task = 5*time.Second, short
	case check.Lingers, check.Deaf, check.ChildrenLeft:
		limits.Task, limits.End = short, short
	}
	return limits
}

// Without -every, one bug for each thing that the check finds at a step: others are more of the same.
func TestCheckNamesTheBugsOfAnSDK(t *testing.T) {
	takes.Seconds(t)
	t.Parallel()
	tried := map[string]bool{}
	for _, l := range []struct {
		name, sdk, worker string
		bugs              []bug
	}{
		{"Python", "../python/respawn.py", "import respawn\nrespawn.serve()\n", pythonBugs},
		{"Node", "../node/respawn.mjs", "import { serve } from \"./respawn.mjs\";\nserve();\n", nodeBugs},
	} {
		sdk, err := os.ReadFile(l.sdk)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		for _, b := range l.bugs {
			found := fmt.Sprint(b.step, b.kind)
			if !takes.Every() && tried[found] {
				continue
			}
			tried[found] = true
			t.Run(l.name+" "+b.does, func(t *testing.T) {
				t.Parallel()
				g, dir := NewWithT(t), t.TempDir()
				g.Expect(strings.Count(string(sdk), b.old)).To(Equal(1), "the SDK has this once:\n%s", b.old)
				worker := filepath.Join(dir, "worker"+filepath.Ext(l.sdk))
				g.Expect(os.WriteFile(filepath.Join(dir, filepath.Base(l.sdk)),
					[]byte(strings.Replace(string(sdk), b.old, b.new, 1)), 0o600)).To(Succeed())
				g.Expect(os.WriteFile(worker, []byte(l.worker), 0o600)).To(Succeed())
				c := command(t, []string{languages[l.name][0], worker})
				c.Timeouts = hasty(b)
				r, err := check.Check(context.Background(), c.Only(b.step))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(r.OK()).To(BeFalse())
				g.Expect(r.Violations()).To(ContainElement(HaveField("Kind", b.kind)), r.String())
				for _, s := range r.Steps {
					if len(s.Found) > 0 {
						g.Expect(s.Name).To(Equal(b.step), r.String())
						break
					}
				}
			})
		}
	}
}
