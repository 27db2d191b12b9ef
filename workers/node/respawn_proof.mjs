// The tasks by which a worker is proved: `respawn worker check` and the scenarios run them. respawn.mjs loads this file where the
// harness says that it is, and knows nothing of it otherwise. What each task does is in docs/wire.md, "To be proved".

import { spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";

const kept = []; // what leaks
const witnesses = new Map();
const now = () => process.hrtime.bigint(); // CLOCK_MONOTONIC
const squared = (id) => String(BigInt(id) ** 2n);

const pause = (ns, task) => new Promise((done) => {
  const end = now() + BigInt(ns ?? 0);
  const step = () => {
    const left = Number(end - now()) / 1e6;
    if (left <= 0 || task.cancelled) done();
    else setTimeout(step, Math.min(left, 20));
  };
  step();
});

function touched(n) {
  const block = Buffer.allocUnsafeSlow(n);
  for (let i = 0; i < n; i += 4096) block[i] = 1;
  return block;
}

/** A task that names itself in its answer, and its process, and witnesses what it executes. */
const verifiable = (run) => async (w, task) => {
  let fd, line;
  if (w.witness) {
    fd = witnesses.get(w.witness);
    if (fd === undefined) witnesses.set(w.witness, fd = fs.openSync(w.witness, "a", 0o666));
    line = `${w.id} ${task.attempt} ${process.pid} ${now()}`;
    fs.writeSync(fd, `\nS ${line}\n`);
  }
  const answer = await run(w, task);
  if (w.witness) fs.writeSync(fd, `\nE ${line} ${now()}\n`);
  return typeof answer === "object" ? { ...answer, id: w.id, pid: process.pid } : answer;
};

const verified = {
  async sleep(w, task) {
    await pause(w.ns, task);
    return { value: squared(w.id) };
  },
  async driven(w, task) {
    await pause(w.ns, task);
    return w.n ** 2;
  },
  square: (w) => ({ value: squared(w.id) }),
  hash(w) {
    let digest = Buffer.alloc(32);
    digest[0] = w.id % 16;
    for (let i = 0; i < (w.rounds ?? 0); i++) digest = crypto.createHash("sha256").update(digest).digest();
    return { value: String(digest.readBigUInt64LE(0)) };
  },
  primes(w) {
    const n = w.below ?? 0, composite = new Uint8Array(n);
    let count = 0;
    for (let i = 2; i < n; i++) {
      if (composite[i]) continue;
      count++;
      for (let j = i * i; j < n; j += i) composite[j] = 1;
    }
    return { value: String(count) };
  },
  echo: (w) => ({ value: "0", payload: w.payload }),
  async alloc(w, task) {
    const block = touched(w.bytes ?? 0);
    if (w.keep) kept.push(block);
    await pause(w.ns, task);
    return { value: squared(w.id) };
  },
};

const say = (line) => fs.writeSync(2, line + "\n");

const strains = {
  exit(s) {
    say(s.marker);
    process.reallyExit(s.count);
  },
  panic(s) {
    say(s.marker);
    process.abort();
  },
  fds(s) {
    const open = [];
    try {
      for (let i = 0; i < s.count; i++) open.push(fs.openSync("/dev/null", "r"));
      return { text: `opened ${open.length} files` };
    } catch (e) {
      if (e.code !== "EMFILE") throw e;
      return { text: `EMFILE after ${open.length}`, refused: "EMFILE" };
    } finally {
      open.forEach(fs.closeSync);
    }
  },
  async pids(s) {
    const children = [];
    try {
      for (let i = 0; i < s.count; i++) {
        const child = spawn("/bin/sleep", ["60"], { stdio: "ignore" });
        await new Promise((done, failed) => child.once("spawn", done).once("error", failed));
        children.push(child);
      }
      return { text: `started ${children.length} children` };
    } catch (e) {
      if (e.code !== "EAGAIN") throw e;
      return { text: `EAGAIN after ${children.length}`, refused: "EAGAIN" };
    } finally {
      children.forEach((c) => c.kill("SIGKILL"));
      await Promise.all(children.map((c) => c.exitCode ?? c.signalCode ?? new Promise((done) => c.once("exit", done))));
    }
  },
  async alloc(s, task) {
    const held = [], chunk = 4 << 20;
    let taken = 0;
    while (!task.cancelled && (!s.bytes || taken < s.bytes)) {
      const n = s.bytes ? Math.min(chunk, s.bytes - taken) : chunk;
      held.push(touched(n));
      taken += n;
    }
    await pause(s.ns, task);
    return { text: `held ${taken} bytes in ${held.length} pieces` };
  },
};

/** Registers them all, by the SDK's task. */
export function tasks(task) {
  for (const [name, run] of Object.entries(verified)) task(`respawn.${name}`, verifiable(run));
  task("respawn.probe", (n) => ({ id: 0, pid: process.pid, value: squared(n) }));
  task("respawn.bytes", (data) => data);
  task("respawn.fail", (text) => {
    throw new RangeError(text);
  });
  task("respawn.print", (text) => {
    console.log(text);
    console.error(text);
    fs.writeSync(1, text + "\n");
  });
  task("respawn.child", (seconds) => spawn("sleep", [String(seconds)], { stdio: ["ignore", "inherit", "inherit"] }).pid);
  task("respawn.poison", (code) => {
    say(`respawn poison: exit ${code}`);
    process.reallyExit(code);
  });
  task("respawn.stress", (s, task) => (s.pid && s.pid !== process.pid ? { text: "not the victim", not_me: true } : strains[s.kind](s, task)));
}

/** Boots badly when told to: see scenarios/targets/boot.go. */
export async function boot() {
  const at = process.env.RESPAWN_BOOT;
  if (!at || !fs.existsSync(at)) return;
  try {
    const ns = Number(fs.readFileSync(`${at}/delay`, "utf8"));
    fs.appendFileSync(`${at}/slowed`, ".");
    await new Promise((done) => setTimeout(done, ns / 1e6));
  } catch (e) {
    if (e.code !== "ENOENT") throw e;
  }
  for (const name of fs.readdirSync(at)) {
    if (!name.startsWith("fail-")) continue;
    try {
      fs.rmSync(`${at}/${name}`);
    } catch {
      continue;
    }
    throw new Error("told to fail by the harness");
  }
}
