// The tasks that every driver in Node knows, as they run in a worker.

const { appendFileSync } = require("node:fs");
const { setTimeout: pause } = require("node:timers/promises");

const tasks = {
  square: async ({ n }) => n ** 2,
  sleep: async ({ ms, n }) => pause(ms, n ** 2),
};

// Runs in the worker: the task's value, and the pid of the process that computed it.
exports.run = async ({ id, task, arg }) => {
  if (!Object.hasOwn(tasks, task)) throw new Error(`unknown task ${task}`);
  const start = `${id} 0 ${process.pid} ${process.hrtime.bigint()}`;
  testify(`\nS ${start}\n`);
  const value = await tasks[task](arg);
  if (Number.isNaN(value)) throw new Error(`no number in ${JSON.stringify(arg)}`);
  testify(`\nE ${start} ${process.hrtime.bigint()}\n`);
  return { value, pid: process.pid };
};

// To warm a pool up: takes a moment, and is recorded nowhere.
exports.warm = async () => pause(20);

// Appends to the file of witnesses, in one write.
function testify(line) {
  if (process.env.RESPAWN_WITNESS) appendFileSync(process.env.RESPAWN_WITNESS, line);
}
