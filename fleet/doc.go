// Package fleet runs a program's registered tasks on many machines, with the promises of package pool: one outcome a
// task, at least once or at most once, and blame only for who was running.
//
// The submitter decides. A broker queues tasks, keeps them and hands them out; whether a task has settled, may run
// again, was lost or is cancelled is decided by the process that holds its future, its owner. No promise rests on the
// broker's timers, counters or memory: what it forgets is published again, what it delivers twice is asked about.
//
//	owner                          broker                         node
//	judge: who has what, who   ──► stream of tasks, a      ──►    hand: what is here, what runs,
//	lives, what must run again     work queue                     what waits to be accepted
//	  ▲ reports: has, result, cannot, pong                          │
//	  └─────────────────────── core messages ◄──────────────────────┘
//	  orders: run, leave, drop, accept, ping ──────────────────────►
//
// The judge and the hand are state machines without a clock or a network: events and a time go in, effects come out. A
// simulation drives the same code through lost, doubled, late and reordered messages, dead, paused and cut-off
// processes, and brokers that forget.
package fleet
