// Node's cluster as the example in its manual has it: the death of a worker is logged, and no more.
const cluster = require("node:cluster");
const http = require("node:http");

if (cluster.isPrimary) {
  for (let i = 0; i < 4; i++) cluster.fork();
  cluster.on("exit", (worker) => console.log(`worker ${worker.process.pid} died`));
} else {
  http.createServer((_request, response) => {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ pid: process.pid }));
  }).listen(8212, "127.0.0.1");
}
