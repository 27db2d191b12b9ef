// Drives Node's workerpool with processes as workers.

import { fileURLToPath } from "node:url";

import { packageOrMissing, serve } from "./respawn_driver.mjs";

const { module: { default: workerpool }, version } = await packageOrMissing("workerpool");

let pool;
const alive = ({ pid, exitCode, signalCode }) => pid && exitCode === null && signalCode === null;

serve({
  name: "workerpool",
  version,
  start: async (size) => {
    const script = fileURLToPath(new URL("workerpool_worker.cjs", import.meta.url));
    pool = workerpool.pool(script, { workerType: "process", minWorkers: size, maxWorkers: size });
    await Promise.all(Array.from({ length: size }, () => pool.exec("warm")));
  },
  run: (call) => pool.exec("run", [call]),
  pids: () => pool?.workers.map((w) => w.worker).filter(alive).map((w) => w.pid) ?? [],
  stop: () => pool?.terminate(true),
});
