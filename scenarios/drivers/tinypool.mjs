// Drives tinypool with processes as workers.

import { children, packageOrMissing, serve, tasks } from "./respawn_driver.mjs";

const { module: { default: Tinypool }, version } = await packageOrMissing("tinypool");

let pool;
serve({
  name: "tinypool",
  version,
  start: async (size) => {
    pool = new Tinypool({ runtime: "child_process", filename: tasks, minThreads: size, maxThreads: size, env: process.env });
    pool.on("error", (e) => console.error(e)); // it tells of a dead worker, which would end this process
    while (children().length < size) await Promise.all(Array.from({ length: size }, () => pool.run({}, { name: "warm" })));
  },
  run: (call) => pool.run(call, { name: "run" }),
  pids: children,
  stop: () => pool?.destroy(),
});
