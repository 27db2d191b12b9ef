// Drives jest-worker with processes as workers, which is its default.
//
//   node jest_worker.mjs [PACKAGE]    another version, which is installed by that name

import { children, packageOrMissing, serve, tasks } from "./respawn_driver.mjs";

const { module: { Worker }, version } = await packageOrMissing(process.argv[2] ?? "jest-worker");

let pool;
serve({
  name: "jest-worker",
  version,
  start: async (size) => {
    pool = new Worker(tasks, { numWorkers: size, exposedMethods: ["run", "warm"] });
    await Promise.all(Array.from({ length: size }, () => pool.warm()));
  },
  run: (call) => pool.run(call),
  pids: children,
  stop: () => pool?.end(),
});
