import type { Benchmark, Row } from "../benchmark.ts";
import { ownLane, valuesOf } from "../lanes.ts";

const subject = "cedar";
const pace = { warmup: { ms: 1_000, min: 3 } };

const twenty: Row = {
	name: "policy.decide_20",
	unit: "ms",
	op: "<=",
	target: 0.6,
	says: "a decision by 20 Cedar policies, schema and request validated, nothing remembered; half of them ask a role",
};
const hundred: Row = {
	name: "policy.decide_100",
	unit: "ms",
	op: "<=",
	target: 2.5,
	says: "the same by 100 policies",
};
const run: Row = {
	name: "policy.run_1tool",
	unit: "ms",
	op: "<=",
	target: 1.5,
	says: "a run with one governed tool call, decided by 20 Cedar policies, nothing remembered",
};
const remembered: Row = {
	name: "policy.run_1tool_cached",
	unit: "µs",
	op: "<=",
	target: 300,
	says: "the same, where the same call was decided before",
};

const audited: Row = {
	name: "policy.run_1tool_audited",
	unit: "ms",
	op: "<=",
	target: 1.5,
	says: "a run with one governed tool call, decided by 20 Cedar policies, nothing remembered, every event in the audit log",
};
const auditedRemembered: Row = {
	name: "policy.run_1tool_audited_cached",
	unit: "µs",
	op: "<=",
	target: 300,
	says: "the same, where the same call was decided before",
};
const held: Row = {
	name: "policy.held_1tool_audited",
	unit: "ms",
	op: "<=",
	target: 1.5,
	says: "the same with a call that a person is asked for: held, answered, decided again and executed, nothing remembered",
};
const heldRemembered: Row = {
	name: "policy.held_1tool_audited_cached",
	unit: "µs",
	op: "<=",
	target: 300,
	says: "the same, where the same call was decided before",
};

const asked = {
	[twenty.name]: { row: "decide", args: { policies: 20 } },
	[hundred.name]: { row: "decide", args: { policies: 100 } },
	[run.name]: { row: "run", args: { policies: 20 } },
	[remembered.name]: { row: "run", args: { policies: 20, cached: 1 } },
	[audited.name]: { row: "run", args: { policies: 20, audited: 1 } },
	[auditedRemembered.name]: { row: "run", args: { policies: 20, audited: 1, cached: 1 } },
	[held.name]: { row: "held", args: { policies: 20 } },
	[heldRemembered.name]: { row: "held", args: { policies: 20, cached: 1 } },
};

function benchmark(title: string, rows: readonly Row[]): Benchmark {
	return {
		title,
		rows,
		async run(context) {
			const lanes = rows.map(({ name }) => ownLane(name, subject, asked[name] as (typeof asked)[string]));
			return valuesOf(rows, await context.race([lanes], pace));
		},
	};
}

/** What a Cedar policy costs a call. */
export const policy: readonly Benchmark[] = [
	benchmark("A decision of a Cedar policy", [twenty, hundred]),
	benchmark("One governed tool call with a Cedar policy (model and tool answer at once; store in memory)", [
		run,
		remembered,
	]),
	benchmark("One governed tool call with a Cedar policy and the audit log on (store in memory)", [
		audited,
		auditedRemembered,
		held,
		heldRemembered,
	]),
];
