// Drives poolifier's pool of cluster workers.

import { fileURLToPath } from "node:url";

import { children, packageOrMissing, serve } from "./respawn_driver.mjs";

const { module: { FixedClusterPool }, version } = await packageOrMissing("poolifier");

let pool;
serve({
  name: "poolifier",
  version,
  start: async (size) => {
    pool = new FixedClusterPool(size, fileURLToPath(new URL("poolifier_worker.cjs", import.meta.url)), { errorHandler: (e) => console.error(e) });
    pool.emitter?.on("error", (e) => console.error(e)); // of a dead worker, which would end this process
    await Promise.all(Array.from({ length: size }, () => pool.execute({}, "warm")));
  },
  run: (call) => pool.execute(call, "run"),
  pids: children,
  stop: () => pool?.destroy(),
});
