// The worker of poolifier.mjs.

const { ClusterWorker } = require("poolifier");
const { run, warm } = require("./respawn_tasks.cjs");

module.exports = new ClusterWorker({ run, warm });
