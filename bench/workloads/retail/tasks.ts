import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Json, JsonObject, JsonSchema } from "../../../packages/holdpoint/src/spec/json.ts";
import { readJson, sharedDataPath } from "../shared-data.ts";
import type { RetailData } from "./records.ts";

/* The recorded side of the workload: the tasks, what each is to call, and what upstream's own code answered. */

export interface RetailTask {
	readonly id: string;
	readonly request: {
		readonly reason_for_call: string;
		readonly known_info: string;
		readonly task_instructions: string;
	};
	readonly actions: readonly GoldAction[];
	/** SHA-256 of the database after the last action. */
	readonly finalHash: string;
	readonly rewardBasis: readonly string[];
	readonly communicateInfo: readonly string[];
}

export interface GoldAction {
	readonly name: string;
	readonly arguments: JsonObject;
	readonly type: "read" | "write" | "generic";
	readonly recorded: { readonly result: Json } | { readonly error: string };
	/** SHA-256 of the database after a write; absent after anything else. */
	readonly hashAfter?: string;
}

/** A tool as tools.json describes it. */
export interface RetailToolSpec {
	readonly name: string;
	readonly type: "read" | "write" | "generic";
	readonly description: string;
	readonly parameters: JsonSchema;
}

export interface RetailWorkload {
	readonly db: RetailData;
	readonly tasks: readonly RetailTask[];
	readonly tools: readonly RetailToolSpec[];
	/** The policy text that the agent is given. */
	readonly policy: string;
	/** SHA-256 of the database before any action. */
	readonly initialHash: string;
}

export const retailDataName = "tau2-retail";

export function retailDataDir(): string | undefined {
	return sharedDataPath(retailDataName);
}

/** Errors: throws when files are missing, or when tasks.json and gold.json are not of one piece. */
export function loadRetail(dir: string): RetailWorkload {
	const gold = readJson(join(dir, "gold.json")) as GoldFile;
	const tasks = readJson(join(dir, "tasks.json")) as readonly TaskEntry[];
	if (tasks.length !== gold.tasks.length) {
		throw new Error(`${dir}: ${tasks.length} tasks, but gold results of ${gold.tasks.length}`);
	}
	return {
		db: readJson(join(dir, "db.json")) as RetailData,
		tasks: tasks.map((task, i) => joinTask(task, gold.tasks[i])),
		tools: (readJson(join(dir, "tools.json")) as { tools: readonly RetailToolSpec[] }).tools,
		policy: readFileSync(join(dir, "policy.md"), "utf8"),
		initialHash: gold.initial_db_sha256,
	};
}

interface TaskEntry {
	readonly id: string;
	readonly request: RetailTask["request"];
	readonly actions: readonly { readonly name: string; readonly arguments: JsonObject }[];
	readonly reward_basis: readonly string[];
	readonly communicate_info: readonly string[];
}

interface GoldFile {
	readonly initial_db_sha256: string;
	readonly tasks: readonly GoldEntry[];
}

interface GoldEntry {
	readonly id: string;
	readonly results: readonly GoldResult[];
	readonly final_db_sha256: string;
}

type GoldResult = { readonly name: string; readonly type: GoldAction["type"]; readonly db_sha256_after?: string } & (
	| { readonly result: Json }
	| { readonly error: string }
);

function joinTask(task: TaskEntry, gold: GoldEntry | undefined): RetailTask {
	if (gold?.id !== task.id || gold.results.length !== task.actions.length) {
		throw new Error(`The gold results of task ${task.id} do not fit its actions`);
	}
	return {
		id: task.id,
		request: task.request,
		actions: task.actions.map((action, i) => joinAction(task.id, action, gold.results[i])),
		finalHash: gold.final_db_sha256,
		rewardBasis: task.reward_basis,
		communicateInfo: task.communicate_info,
	};
}

function joinAction(taskId: string, action: TaskEntry["actions"][number], gold: GoldResult | undefined): GoldAction {
	if (gold?.name !== action.name) {
		throw new Error(`The gold results of task ${taskId} name another tool than ${action.name}`);
	}
	return {
		name: action.name,
		arguments: action.arguments,
		type: gold.type,
		recorded: "error" in gold ? { error: gold.error } : { result: gold.result },
		...(gold.db_sha256_after === undefined ? {} : { hashAfter: gold.db_sha256_after }),
	};
}
