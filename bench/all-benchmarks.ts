import type { Benchmark } from "./benchmark.ts";
import * as suites from "./suites/index.ts";

/** In the order of the table. */
export const allBenchmarks: readonly Benchmark[] = [
	suites.overhead,
	suites.policy,
	suites.handoffs,
	suites.resume,
	suites.suspended,
	suites.durable,
	suites.budget,
	suites.audit,
	suites.memory,
	suites.traces,
	suites.growth,
	suites.longSessions,
	suites.harnessAgents,
	suites.program,
	suites.rehearsal,
	suites.microvm,
	suites.orders,
	suites.retail,
	suites.imports,
	suites.cli,
].flat();
