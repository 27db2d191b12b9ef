// The worker of workerpool.mjs.

require("workerpool").worker(require("./respawn_tasks.cjs"));
