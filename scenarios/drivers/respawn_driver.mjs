// The driver protocol of docs/drivers.md for pools in Node.
//
// A driver is an object with a name, a version, and start(size), run(call), pids() and stop(); serve() does all the talking. See
// jest_worker.mjs for the shortest example.

import { once } from "node:events";
import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

// Whatever prints goes to standard error, so that it cannot corrupt the protocol: Node cannot redirect a descriptor.
Object.defineProperty(process, "stdout", { get: () => process.stderr });

// What the workers load.
export const tasks = fileURLToPath(new URL("respawn_tasks.cjs", import.meta.url));

// Finds a package beside this file, where install.sh puts it, or in the working directory. A missing one is told to whoever says hello,
// with the command that installs it.
export async function packageOrMissing(name) {
  for (const from of [import.meta.url, `${process.cwd()}/`]) {
    const require = createRequire(from);
    try {
      const entry = require.resolve(name);
      const { version } = JSON.parse(readFileSync(entry.slice(0, entry.lastIndexOf(`/${name}/`)) + `/${name}/package.json`));
      return { module: await import(entry), version };
    } catch {}
  }
  await once(process.stdin, "data");
  say({ op: "error", error: `not installed: ${name}`, install: `npm install ${name}` });
  process.exit(0);
}

// The pids of the children of this process: the workers of a pool that does not list them.
export const children = () => readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(/\s+/).filter(Boolean).map(Number);

// Answers requests from standard input until it ends or stop is asked for.
export function serve(driver) {
  const ops = {
    hello: () => ({ op: "hello", protocol: 1, name: driver.name, version: driver.version, can: ["workers", "pid", "witness"] }),
    start: async ({ size, witness }) => {
      process.env.RESPAWN_WITNESS = witness ?? ""; // the workers inherit it
      await driver.start(size);
      return { op: "ready", pids: driver.pids() };
    },
    submit: ({ id, task, arg }) =>
      driver.run({ id, task, arg }).then(
        ({ value, pid }) => ({ op: "result", id, value, pid }),
        (e) => ({ op: "error", id, error: reason(e) }),
      ),
    workers: () => ({ op: "workers", pids: driver.pids() }),
    stop: async () => {
      const last = driver.pids();
      await Promise.race([Promise.resolve(driver.stop()).catch(() => {}), pause(3000)]); // which may never end
      const left = new Set(children());
      for (const pid of last.filter((pid) => left.has(pid))) process.kill(pid, "SIGKILL");
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

  createInterface({ input: process.stdin }).on("line", answer).on("close", () => ops.stop().then(() => process.exit(0)));
}

const reason = (e) => `${e?.name ?? "Error"}: ${e?.message ?? e}`;

function say(message) {
  writeSync(1, JSON.stringify(message) + "\n");
}
