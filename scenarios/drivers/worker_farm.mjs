// Drives worker-farm. One call at a time for each worker: by default a worker is given ten.

import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { children, packageOrMissing, serve } from "./respawn_driver.mjs";

const { module: { default: workerFarm }, version } = await packageOrMissing("worker-farm");
const worker = fileURLToPath(new URL("worker_farm_worker.cjs", import.meta.url));

let pool;
let run;
serve({
  name: "worker-farm",
  version,
  start: async (size) => {
    pool = workerFarm({ maxConcurrentWorkers: size, maxConcurrentCallsPerWorker: 1, autoStart: true }, worker, ["run", "warm"]);
    run = promisify(pool.run);
    await Promise.all(Array.from({ length: size }, () => promisify(pool.warm)()));
  },
  run: (call) => run(call),
  pids: children,
  stop: () => new Promise((ended) => (pool ? workerFarm.end(pool, ended) : ended())),
});
