// Two programs for pm2; TUNED=1 with a pause between restarts that grows, without which sixteen quick ends are the last.
module.exports = {
  apps: [{
    name: "worker", script: `${__dirname}/worker.sh`, interpreter: "sh", exec_mode: "fork", instances: 2, autorestart: true,
    ...(process.env.TUNED ? { exp_backoff_restart_delay: 100 } : {}),
  }],
};
