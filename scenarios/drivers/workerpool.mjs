// Drives Node's workerpool with processes as workers. See docs/drivers.md for the protocol.

import { once } from "node:events";
import { appendFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

// Whatever prints goes to standard error, so that it cannot corrupt the protocol: Node cannot redirect a descriptor.
Object.defineProperty(process, "stdout", { get: () => process.stderr });

const { workerpool, version } = await load();

const tasks = {
  square: async ({ n }) => n ** 2,
  sleep: async ({ ms, n }) => pause(ms, n ** 2),
};

// Runs in the worker.
async function run(id, task, arg) {
  if (!(task in tasks)) throw new Error(`unknown task ${task}`);
  const start = `${id} 0 ${process.pid} ${process.hrtime.bigint()}`;
  testify(`\nS ${start}\n`);
  const value = await tasks[task](arg);
  if (Number.isNaN(value)) throw new Error(`no number in ${JSON.stringify(arg)}`);
  testify(`\nE ${start} ${process.hrtime.bigint()}\n`);
  return { value, pid: process.pid };
}

// Appends to the file of witnesses, in one write.
function testify(line) {
  if (process.env.RESPAWN_WITNESS) appendFileSync(process.env.RESPAWN_WITNESS, line);
}

let pool;
const alive = ({ pid, exitCode, signalCode }) => pid && exitCode === null && signalCode === null;
const workers = () => pool?.workers.map((w) => w.worker).filter(alive) ?? [];
const pids = () => workers().map((w) => w.pid);
const reason = (e) => `${e?.name ?? "Error"}: ${e?.message ?? e}`;

const ops = {
  hello: () => ({ op: "hello", protocol: 1, name: "workerpool", version, can: ["workers", "pid", "witness"] }),
  start: async ({ size, witness }) => {
    process.env.RESPAWN_WITNESS = witness ?? ""; // the workers inherit it
    const script = fileURLToPath(import.meta.url);
    pool = workerpool.pool(script, { workerType: "process", minWorkers: size, maxWorkers: size });
    await Promise.all(Array.from({ length: size }, () => pool.exec("sleep", [{ ms: 20, n: 1 }])));
    return { op: "ready", pids: pids() };
  },
  submit: ({ id, task, arg }) =>
    pool.exec("run", [id, task, arg]).then(
      ({ value, pid }) => ({ op: "result", id, value, pid }),
      (e) => ({ op: "error", id, error: reason(e) }),
    ),
  workers: () => ({ op: "workers", pids: pids() }),
  stop: async () => {
    const last = workers();
    await Promise.race([pool?.terminate(true), pause(3000)]); // which may never end
    for (const worker of last.filter(alive)) worker.kill("SIGKILL");
    return { op: "stopped" };
  },
};

async function answer(line) {
  let request = {};
  try {
    request = JSON.parse(line);
    if (!Object.hasOwn(ops, request.op)) throw new Error(`unknown op ${request.op}`);
    say(await ops[request.op](request));
  } catch (e) {
    say({ op: "error", id: request?.id, error: reason(e) });
  }
  if (request?.op === "stop") process.exit(0);
}

function say(message) {
  writeSync(1, JSON.stringify(message) + "\n");
}

// From beside this file, where install.sh puts it, or from the working directory.
async function load() {
  for (const from of [import.meta.url, `${process.cwd()}/`]) {
    const require = createRequire(from);
    try {
      return { workerpool: require("workerpool"), version: require("workerpool/package.json").version };
    } catch {}
  }
  await once(process.stdin, "data");
  say({ op: "error", error: "not installed: workerpool", install: "npm install workerpool" });
  process.exit(0);
}

if (workerpool.isMainThread) {
  const requests = createInterface({ input: process.stdin });
  requests.on("line", answer).on("close", () => ops.stop().then(() => process.exit(0)));
} else {
  workerpool.worker({ run, sleep: tasks.sleep });
}
