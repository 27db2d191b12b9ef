// The worker of worker_farm.mjs, which takes callbacks.

const { run, warm } = require("./respawn_tasks.cjs");

const withCallback = (f) => (...args) => {
  const done = args.pop();
  f(...args).then((value) => done(null, value), done);
};

module.exports = { run: withCallback(run), warm: withCallback(warm) };
