// The handlers of external_linux_test.go, as worker.py has them for Python.
import fs from "node:fs";

const env = process.env;
if (env.CRASH_AT_IMPORT) await import("a_module_that_is_not_there");
console.log("printed at import");
if (env.SILENT) await new Promise((done) => setTimeout(done, 600_000));
if (env.PRINT_ONLY) process.exit(0);
if (env.GARBAGE) fs.writeSync(3, "Hello, this is no frame at all, but long enough");
if (env.OTHER_PROTOCOL) {
  const parse = JSON.parse;
  JSON.parse = (text) => ({ ...parse(text), protocol: 2 });
}

const { task, serve } = await import("../../workers/node/respawn.mjs");
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const block = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

task("square", (n) => n * n);
task("echo", (b) => b);
task("as-it-is", (v) => v);
task("say", (text) => {
  console.log(text);
  console.error(text);
  fs.writeSync(1, "raw on stdout\n");
  return text;
});
task("nap", async (ms, task) => {
  const end = Date.now() + ms;
  while (Date.now() < end && !task.cancelled) await sleep(2);
  return { attempt: task.attempt, key: task.key, pid: process.pid, cancelled: task.cancelled };
});
task("stubborn", (ms) => {
  block(ms);
  return process.pid;
});
task("witness", (path) => {
  fs.appendFileSync(path, ".");
  block(1);
  return process.pid;
});
task("touch", (path) => {
  fs.appendFileSync(path, ".");
  return 0;
});
task("die", (how, task) => {
  if (how.endsWith(" once") && task.attempt > 1) return task.attempt;
  how = how.split(" ")[0];
  if (how === "exit") process.exit(42);
  if (how === "memory") for (const all = []; ;) all.push(new Array(1e5).fill(all.length));
  process.kill(process.pid, { segv: "SIGSEGV", stop: "SIGSTOP" }[how] ?? "SIGKILL");
  block(600_000);
});
task("fail", function fail(how) {
  switch (how) {
    case "value": throw new TypeError("no good: " + how);
    case "text": throw new Error("\udcff".repeat(100000));
    case "nothing": return undefined;
    case "generator": return [1, 2, 3].values();
    case "nan": return NaN;
    case "surrogate": return "\udcff";
    case "large": return "x".repeat(9 << 20);
    default: return "text";
  }
});
task("fork", () => 0);

serve();
