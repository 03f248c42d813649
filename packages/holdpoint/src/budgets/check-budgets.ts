/** The door of budgets: what somebody wrote is looked at by hand before it is believed. Errors: `config.invalid`. */
import type { ArgumentSum, Budget, BudgetScope, Prices } from "../spec/budget.ts";
import { HoldpointError } from "../spec/errors.ts";
import { isJsonObject, type Json, type JsonSchema } from "../spec/json.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Tool } from "../spec/tool.ts";

const fields = ["name", "per", "window", "counts", "tools", "max", "over"];
const scopes: readonly BudgetScope[] = ["run", "session", "agent", "principal", "tenant"];
const windows = ["hour", "day", "month"];
const counted = ["calls", "tokens", "inputTokens", "outputTokens", "money", "wallMs"];
const { budgetsMax } = fixedLimits;

/** In the order of the scopes, so that how they were written makes no other account. */
export function checkBudgets(value: unknown): readonly Budget[] {
	if (!Array.isArray(value)) throw invalid("`budgets` is no list");
	if (value.length > budgetsMax) throw invalid(`there are ${value.length} budgets; at most ${budgetsMax} are counted`);
	const names = new Set<string>();
	return value.map((one: unknown, at) => {
		const budget = checkBudget(one, `budgets[${at}]`);
		if (names.has(budget.name)) throw invalid(`two budgets are named ${budget.name}`);
		names.add(budget.name);
		return budget;
	});
}

function checkBudget(value: unknown, at: string): Budget {
	if (!isRecord(value)) throw invalid(`${at} is no object`);
	const { name } = value;
	if (typeof name !== "string" || !/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,59}$/.test(name)) {
		throw invalid(`${at} has the name ${shown(name)}; letters, digits, _ . and - make one, at most 60`);
	}
	const which = `the budget ${name}`;
	const unknown = Object.keys(value).find((field) => !fields.includes(field));
	if (unknown !== undefined) throw invalid(`${which} sets ${shown(unknown)}; known: ${fields.join(", ")}`);
	const { window, max } = value;
	if (!Number.isSafeInteger(max) || (max as number) < 1) {
		throw invalid(`${which} has the max ${shown(max)}; it is a whole number from 1 on`);
	}
	if (window !== undefined && !windows.includes(window as string)) {
		throw invalid(`${which} has the window ${shown(window)}; known: ${windows.join(", ")}, or none`);
	}
	const counts = checkCounts(value["counts"], which);
	const per = checkScopes(value["per"], which);
	const tools = checkTools(value["tools"], { which, counts });
	const over = value["over"] ?? "deny";
	if (over !== "deny" && !isRecord(over)) throw invalid(`${which} has the over ${shown(over)}; it is "deny" or an ask`);
	if (over !== "deny" && counts !== "calls" && typeof counts === "string") {
		throw invalid(`${which} asks people about ${counts}; only calls and sums can be held and asked about`);
	}
	return {
		name,
		...(per.length > 0 ? { per } : {}),
		...(window === undefined ? {} : { window: window as NonNullable<Budget["window"]> }),
		counts,
		...(tools === undefined ? {} : { tools }),
		max: max as number,
		...(over === "deny" ? {} : { over }),
	};
}

function checkCounts(counts: unknown, which: string): Budget["counts"] {
	if (counted.includes(counts as string)) return counts as Budget["counts"];
	const known = `known: ${counted.join(", ")}, or { tool, sum }`;
	if (!isRecord(counts)) throw invalid(`${which} counts ${shown(counts)}; ${known}`);
	const { tool, sum, ...rest } = counts;
	const [unknown] = Object.keys(rest);
	if (unknown !== undefined) throw invalid(`${which} counts with ${shown(unknown)}; ${known}`);
	if (!isName(tool)) throw invalid(`${which} adds up an argument of the tool ${shown(tool)}, which is no name`);
	if (!isName(sum) || sum.split(".").includes("")) {
		throw invalid(`${which} adds up the field ${shown(sum)}; it is a name, or names with dots between them`);
	}
	return { tool, sum };
}

function checkScopes(per: unknown, which: string): readonly BudgetScope[] {
	const list: readonly unknown[] = per === undefined ? [] : Array.isArray(per) ? per : [per];
	const wrong = list.find((scope, at) => !scopes.includes(scope as BudgetScope) || list.indexOf(scope) !== at);
	if (wrong !== undefined) throw invalid(`${which} is per ${shown(wrong)}; known, each once: ${scopes.join(", ")}`);
	return scopes.filter((scope) => list.includes(scope));
}

function checkTools(tools: unknown, { which, counts }: { which: string; counts: Budget["counts"] }) {
	if (tools === undefined) return undefined;
	if (counts !== "calls" && counts !== "wallMs") {
		throw invalid(`${which} names \`tools\`; only calls and wallMs are counted by tools`);
	}
	const isList = Array.isArray(tools) && tools.length > 0 && tools.every(isName);
	if (!isList) throw invalid(`${which} has the tools ${shown(tools)}; they are a list of names`);
	// A program stands still for days: its time is that of its calls.
	if (counts === "wallMs" && tools.includes("execute_code")) {
		throw invalid(`${which} counts the time of execute_code; what a program takes is counted by its calls`);
	}
	return tools as readonly string[];
}

export function checkPrices(value: unknown): Prices {
	if (!isRecord(value)) throw invalid("`prices` is no object");
	for (const [model, price] of Object.entries(value)) {
		if (isRecord(price) && isPrice(price)) continue;
		throw invalid(
			`the price of ${model} is ${shown(price)}; it is { input, output, cachedInput? } in USD per million tokens`,
		);
	}
	return value as Prices;
}

function isPrice({ input, output, cachedInput = 0, ...rest }: Record<string, unknown>): boolean {
	const isNumber = (one: unknown) => typeof one === "number" && one >= 0 && one <= 1e6;
	return [input, output, cachedInput].every(isNumber) && Object.keys(rest).length === 0;
}

/** Sums over this tool that it cannot have. Where a schema does not tell, the call is looked at, and closed. */
export function checkSums(budgets: readonly Budget[], tools: readonly Tool[]): void {
	for (const { name, counts } of budgets) {
		if (typeof counts === "string") continue;
		const tool = tools.find((one) => one.name === counts.tool);
		const problem = tool && sumProblem(tool.inputSchema, counts);
		if (problem) throw invalid(`the budget ${name} adds up ${counts.sum} of ${counts.tool}, ${problem}`);
	}
}

/** Tools that no agent has, where all agents are known. */
export function checkToolNames(budgets: readonly Budget[], tools: ReadonlySet<string>): void {
	for (const { name, counts, tools: named = [] } of budgets) {
		const all = typeof counts === "string" ? named : [counts.tool];
		const missing = all.find((tool) => !tools.has(tool));
		if (missing === undefined) continue;
		throw invalid(`the budget ${name} counts the tool ${shown(missing)}, which no agent has`);
	}
}

function sumProblem(inputSchema: JsonSchema, { sum }: ArgumentSum): string | undefined {
	let schema: Json | undefined = inputSchema;
	for (const field of sum.split(".")) {
		if (!isJsonObject(schema) || isOpenEnded(schema)) return undefined;
		const { type = "object", properties }: JsonSchema = schema;
		// Any object at all: it does not tell.
		if (type === "object" && properties === undefined) return undefined;
		if (!isJsonObject(properties) || !Object.hasOwn(properties, field)) return "and its schema has no such field";
		schema = properties[field];
	}
	if (!isJsonObject(schema) || schema["type"] === undefined || isOpenEnded(schema)) return undefined;
	const { type } = schema;
	return type === "integer" ? undefined : `which is ${shown(type)} in its schema; only an integer can be added up`;
}

function isOpenEnded(schema: JsonSchema): boolean {
	return ["$ref", "anyOf", "allOf", "oneOf"].some((word) => Object.hasOwn(schema, word));
}

function isName(value: unknown): value is string {
	return typeof value === "string" && value !== "" && value.length <= 200;
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
	try {
		return (JSON.stringify(value) ?? String(value)).slice(0, 100);
	} catch {
		return typeof value;
	}
}

function invalid(what: string): HoldpointError {
	return new HoldpointError("config.invalid", `In the budgets, ${what}`, {
		hint: 'Shape: { name, counts: "calls" or another unit or { tool, sum }, max, per?, window?, tools?, over? }.',
	});
}
