// Worker of a respawn pool: tasks of a Go program that run in this process. One file, to be copied or installed.
//
//     import { task, serve } from "./respawn.mjs";
//
//     task("square", (n) => n * n);
//     serve();
//
// In Go: pool.Config{Command: []string{"node", "worker.mjs"}} and pool.External[int, int]("square").
//
// A handler gets its argument, decoded from JSON or as a Buffer where Go has a []byte, and its task: {id, attempt, key, cancelled}. What it
// returns, or the promise that it returns is fulfilled with, goes back the same way; undefined is null. What it throws is a
// *pool.HandlerError there. One task runs at a time. console.log goes where it always goes. The protocol is docs/wire.md of
// https://github.com/respawn-go/respawn. Descriptors are close-on-exec by Node's own doing.

import fs from "node:fs";
import net from "node:net";

const asked = process.env.RESPAWN_PROTOCOL; // removed, so that what a handler starts is no worker
delete process.env.RESPAWN_PROTOCOL;
const proof = process.env.RESPAWN_PROOF; // a directory of the harness, with the tasks by which workers are proved
delete process.env.RESPAWN_PROOF;

const version = "0.1.0";
const protocol = 1;
const TASKS = 3, CONTROL = 4, TICKETS = 5;
const HELLO = 1, TASK = 2, READY = 3, BOOT_FAILED = 4, VALUE = 5, ERROR = 6, ENCODE = 8, UNKNOWN = 9, GOODBYE = 10;
const BYTES = 4, WANT_BYTES = 8; // flags of a task: its argument is bytes, and so must its result be
const CANCEL = 2, FLUSH = 3, STOP = 4;
const HEADER = 32;
const TEXT = 64 << 10; // the longest message or trace
const FLUSH_BYTES = 32 << 10;
const FLUSH_MS = 0.2; // results go out at once after a handler that took so long
const LONG_MS = 1; // and before one that is likely to

const handlers = new Map();

/** Registers a handler under a name. */
export function task(name, handler) {
  if (typeof handler !== "function") throw new TypeError(`respawn: the handler of "${name}" is no function`);
  if (/Generator/.test(handler.constructor.name)) throw new TypeError(`respawn: handler "${name}" is a generator: return an array`);
  if (handlers.has(name)) throw new Error(`respawn: handler "${name}" is registered twice`);
  handlers.set(name, { handler, mean: undefined }); // mean: of its time, in milliseconds
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(bytes) {
  const text = utf8.decode(bytes);
  if (/\d{16}/.test(text)) {
    for (const [number] of text.replace(/"(?:[^"\\]|\\.)*"/g, '""').matchAll(/-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g)) {
      if (/^-?\d+$/.test(number) && !Number.isSafeInteger(Number(number))) {
        throw new RangeError(`the integer ${number} is beyond 2^53, which a number cannot hold here: send it as text`);
      }
    }
  }
  return JSON.parse(text);
}

function finite(_, value) {
  if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError(`the handler returned ${value}, which JSON does not have`);
  return value;
}

function encode(value) {
  if (value !== null && typeof value === "object" && typeof value.next === "function") {
    throw new TypeError("the handler returned an iterator: return an array");
  }
  const text = JSON.stringify(value, finite) ?? "null";
  if (/(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/.test(text)) throw new TypeError("the handler returned text with half a surrogate pair, which is no UTF-8");
  return Buffer.from(text);
}

/** Describes what was thrown for the wire. */
function failure(e, more) {
  const isError = e instanceof Error;
  let message, trace = "";
  try {
    message = String(isError ? e.message || e.name : e);
    trace = String(isError ? e.stack ?? "" : "");
  } catch {
    message = "an error that has no text";
  }
  const type = isError ? (e.constructor?.name ?? e.name) : typeof e;
  return Buffer.from(JSON.stringify({ message: message.slice(0, TEXT), type: String(type), trace: trace.slice(-TEXT), ...more }));
}

function say(text) {
  fs.writeSync(2, `respawn worker: ${text}\n`);
}

/** The parent is gone: ends this process and what it started, all of its group. */
function orphaned() {
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {
    // not the leader of a group
  }
  process.kill(process.pid, "SIGKILL");
}

class Worker {
  input = Buffer.alloc(0);
  ticket = -1; // one in hand, whose frame is still to come
  current = null;
  stopping = false;
  running = false;
  out = [];
  outSize = 0;
  entries = [...handlers.values()];
  limit = 0;

  constructor() {
    for (const fd of [TASKS, CONTROL, TICKETS]) {
      const what = fs.fstatSync(fd);
      if (!(fd === TICKETS ? what.isFIFO() : what.isSocket())) throw new Error(`descriptor ${fd} is not what a pool passes`);
    }
    process.on("SIGINT", () => {}); // of a terminal: the parent's affair
    process.on("SIGTERM", () => this.goodbye());
    this.tasks = this.open(TASKS, (data) => {
      this.input = this.input.length ? Buffer.concat([this.input, data]) : data;
      this.pump();
    });
    let orders = Buffer.alloc(0);
    this.control = this.open(CONTROL, (data) => {
      orders = Buffer.concat([orders, data]);
      for (; orders.length >= 8; orders = orders.subarray(8)) this.obey(orders[0], orders.readUInt32LE(4));
    });
  }

  open(fd, read) {
    const socket = new net.Socket({ fd, readable: true, writable: true });
    socket.on("data", read).on("error", orphaned).on("end", orphaned).on("close", orphaned);
    socket.resume();
    return socket;
  }

  send(kind, payload, frame, run = 0) {
    const head = Buffer.alloc(HEADER);
    head.writeUInt32LE(payload.length, 0);
    head[4] = kind;
    if (frame) {
      head.writeBigUInt64LE(frame.id, 8);
      head.writeUInt32LE(frame.seq, 16);
      head.writeBigUInt64LE(BigInt(Math.max(0, Math.round(run * 1e6))), 24);
    }
    this.out.push(head, payload);
    this.outSize += HEADER + payload.length;
  }

  flush(then) {
    if (!this.outSize && !then) return;
    const data = Buffer.concat(this.out);
    this.out = [];
    this.outSize = 0;
    this.tasks.write(data, then);
  }

  /** The next whole frame; null when it is not here yet. */
  next() {
    const b = this.input;
    if (b.length < HEADER) return null;
    const size = b.readUInt32LE(0);
    if (b.length < HEADER + size) return null;
    const key = b.readUInt16LE(22);
    this.input = b.subarray(HEADER + size);
    return {
      kind: b[4], flags: b[5], handler: b.readUInt16LE(6), id: b.readBigUInt64LE(8), seq: b.readUInt32LE(16), attempt: b.readUInt16LE(20),
      key: b.toString("utf8", HEADER, HEADER + key), payload: b.subarray(HEADER + key, HEADER + size),
    };
  }

  /** Takes the ticket of a frame that is here whole. False: the task was taken back. */
  take(seq) {
    if (this.ticket < 0) {
      const b = Buffer.alloc(4);
      let n;
      try {
        n = fs.readSync(TICKETS, b, 0, 4, null);
      } catch (e) {
        if (e.code === "EAGAIN") return false;
        throw e;
      }
      if (n === 0) orphaned();
      this.ticket = b.readUInt32LE(0);
    }
    if (this.ticket !== seq) return false;
    this.ticket = -1;
    return true;
  }

  async pump() {
    if (this.running) return;
    this.running = true;
    for (let frame; !this.stopping && (frame = this.next());) {
      if (frame.kind === HELLO) this.ready(frame.payload);
      else if (frame.kind === TASK) await this.run(frame);
    }
    this.running = false;
    if (this.stopping) this.exit();
    else this.flush();
  }

  async run(frame) {
    const entry = this.entries[frame.handler];
    if (this.outSize && !(entry?.mean < LONG_MS)) this.flush();
    const task = { id: frame.id, attempt: frame.attempt, key: frame.key, cancelled: false };
    this.current = { seq: frame.seq, task }; // before the ticket: it may be cancelled at once
    if (!this.take(frame.seq)) return;
    const began = performance.now();
    const [kind, result] = entry ? await this.handle(entry.handler, frame, task) : [UNKNOWN, failure(new Error(`no handler of number ${frame.handler}`))];
    const took = performance.now() - began;
    this.current = null;
    if (entry) entry.mean = entry.mean === undefined ? took : entry.mean + (took - entry.mean) / 4;
    this.send(kind, result, frame, took);
    if (took >= FLUSH_MS || this.outSize >= FLUSH_BYTES) this.flush();
  }

  async handle(handler, frame, task) {
    let value;
    try {
      value = frame.flags & BYTES ? Buffer.from(frame.payload) : decode(frame.payload);
    } catch (e) {
      return [ENCODE, failure(e, { what: "decode argument" })];
    }
    try {
      value = handler(value, task);
      if (typeof value?.then === "function") value = await value;
    } catch (e) {
      if (e instanceof RangeError && e.message === "Array buffer allocation failed") return this.exhausted(e.message);
      return [ERROR, failure(e)];
    }
    try {
      const isBytes = value instanceof Uint8Array;
      if (frame.flags & WANT_BYTES && !isBytes) throw new TypeError(`the handler returned ${typeof value}, and its caller wants bytes`);
      if (!(frame.flags & WANT_BYTES) && isBytes) throw new TypeError("the handler returned bytes, and its caller wants JSON: make its result a []byte there");
      value = isBytes ? Buffer.from(value) : encode(value);
    } catch (e) {
      return [ENCODE, failure(e, { what: "encode result" })];
    }
    if (value.length > this.limit) {
      return [ENCODE, failure(new RangeError(`${value.length} bytes, at most ${this.limit}`), { what: "encode result", too_large: true })];
    }
    return [VALUE, value];
  }

  /** Ends the process, as the pool knows how to take: what is left of it after that is not to be relied on. */
  exhausted(why) {
    say(`out of memory: ${why}`);
    this.flush(() => process.exit(1));
    return new Promise(() => {});
  }

  obey(kind, argument) {
    if (kind === CANCEL && this.current?.seq === argument) this.current.task.cancelled = true;
    else if (kind === FLUSH) this.flush();
    else if (kind === STOP) this.stop();
  }

  goodbye() {
    if (this.stopping) return;
    this.send(GOODBYE, Buffer.alloc(0));
    this.flush();
    this.stop();
  }

  stop() {
    this.stopping = true;
    if (!this.running) this.exit();
  }

  exit() {
    this.flush(() => process.exit(0));
  }

  ready(payload) {
    const hello = JSON.parse(payload.toString());
    if (hello.protocol !== protocol) {
      this.send(BOOT_FAILED, failure(new Error(`this SDK (${version}) speaks protocol ${protocol}, and the pool ${hello.protocol}`)));
      this.flush(() => process.exit(1));
      return;
    }
    this.limit = hello.max_payload;
    for (const [name, value] of [["oom_score_adj", "500"], ["comm", hello.worker]]) { // the kernel takes it before its parent; ps shows it
      try {
        fs.writeFileSync(`/proc/self/${name}`, value);
      } catch {
        // it serves all the same
      }
    }
    const tasks = [...handlers.keys()];
    this.send(READY, Buffer.from(JSON.stringify({ protocol, pid: process.pid, tasks, can: ["cancel"], sdk: `node ${version}` })));
    this.flush();
  }
}

/** Serves the pool that started this process. Call it last, once. */
export function serve() {
  if (asked === undefined) {
    say("this is a worker of a respawn pool, and no pool started it: name it in pool.Config.Command");
    process.exit(2);
  }
  if (proof === undefined) new Worker();
  else {
    import(`${proof}/respawn_proof.mjs`).then(async ({ boot, tasks }) => {
      await boot();
      tasks(task);
      new Worker();
    });
  }
}
