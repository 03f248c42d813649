/** The user's agents and policy: `export const config` of a module, looked at by hand before it is believed. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { checkPrices, checkSums, checkToolNames } from "../budgets/check-budgets.ts";
import { labelRules } from "../labels/label-rules.ts";
import { checkedBudgets } from "../run/call-budgets.ts";
import { executeCodeName } from "../run/execute-code-name.ts";
import { castOf } from "../run/ready-agent.ts";
import { governedAgents } from "../run/ready-policy.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import { defaultLimits } from "../spec/limits.ts";
import type { Participant } from "../spec/team.ts";
import { type Invocation, textOption } from "./command.ts";
import type { HoldpointConfig } from "./holdpoint-config.ts";

/** The shop of `holdpoint demo`: shipped inside, and named like a file. */
export const demoConfigName = "holdpoint:demo";
/** The team of its second act. */
export const demoTeamConfigName = "holdpoint:demo-team";

const fileNames = ["holdpoint.config.ts", "holdpoint.config.mjs", "holdpoint.config.js"];

/** What was asked for with --config or HOLDPOINT_CONFIG, or lies in the working directory; undefined: nothing. */
export function configPath({ host, options }: Pick<Invocation, "host" | "options">): string | undefined {
	const named = textOption({ options }, "config") ?? (host.env["HOLDPOINT_CONFIG"] || undefined);
	if (named === demoConfigName || named === demoTeamConfigName) return named;
	if (named !== undefined) return resolve(host.cwd, named);
	return fileNames.map((name) => join(host.cwd, name)).find((path) => existsSync(path));
}

/** Errors: `config.invalid`. */
export async function loadConfig(path: string, store: string): Promise<HoldpointConfig> {
	if (path === demoConfigName) {
		const { shopConfig } = await import("./demo/shop-config.ts");
		return shopConfig(store);
	}
	if (path === demoTeamConfigName) {
		const { deskConfig } = await import("./demo/desk-config.ts");
		return deskConfig(store);
	}
	if (!existsSync(path)) throw invalid(path, "does not exist");
	let module: Record<string, unknown>;
	try {
		module = (await import(pathToFileURL(path).href)) as Record<string, unknown>;
	} catch (error) {
		// A definition of theirs that is refused says itself what is wrong with it.
		if (isHoldpointError(error)) throw withPlace(error);
		throw invalid(path, "cannot be loaded", error);
	}
	return checkConfig(module["config"], path);
}

export function checkConfig(value: unknown, path: string): HoldpointConfig {
	if (value === undefined) throw invalid(path, "has no export named `config`");
	if (!isRecord(value)) throw invalid(path, "exports a `config` that is no object");
	const known = "agents policy approvers rolesOf webhooks audit limits budgets prices labels tracing model".split(" ");
	const unknown = Object.keys(value).find((name) => !known.includes(name));
	if (unknown) throw invalid(path, `sets "${unknown}"; known: ${known.join(", ")}`);
	const { agents, policy, approvers, rolesOf, audit, limits, budgets, prices, labels, tracing, model } = value;
	if (!Array.isArray(agents) || agents.length === 0) throw invalid(path, "names no `agents`");
	for (const [at, agent] of agents.entries()) checkAgent(agent, at, path);
	const names = agents.map((agent: Participant) => agent.name);
	const twice = names.find((name, at) => names.indexOf(name) !== at);
	if (twice) throw invalid(path, `has two agents named ${twice}`);
	checkWho({ policy, approvers, rolesOf, audit }, path);
	if (limits !== undefined) checkLimits(limits, path);
	if (budgets !== undefined) checkConfigBudgets(budgets, agents, path);
	if (prices !== undefined) inFile(path, () => checkPrices(prices));
	if (labels !== undefined) inFile(path, () => labelRules(labels));
	if (tracing !== undefined && !(isRecord(tracing) && Array.isArray(tracing["exporters"])))
		throw invalid(path, "has a `tracing` without `exporters`");
	if (model !== undefined && !(isRecord(model) && typeof model["doStream"] === "function")) {
		throw invalid(path, "has a `model` that is no language model");
	}
	return value as unknown as HoldpointConfig;
}

function checkAgent(agent: unknown, at: number, path: string): void {
	const fits = isRecord(agent) && typeof agent["name"] === "string" && typeof agent["digest"] === "string";
	if (!fits || !(Array.isArray(agent["tools"]) || Array.isArray(agent["participants"]))) {
		throw invalid(path, `has as agents[${at}] something that neither \`defineAgent\` nor a team's builder made`);
	}
}

function checkLimits(limits: unknown, path: string): void {
	if (!isRecord(limits)) throw invalid(path, "has `limits` that are no object");
	for (const [name, value] of Object.entries(limits)) {
		if (!(name in defaultLimits)) throw invalid(path, `sets the limit "${name}", which does not exist`);
		if (typeof value !== "number" || !Number.isFinite(value) || value < 1) {
			throw invalid(path, `sets the limit ${name} to ${String(value)}`);
		}
	}
}

/** All agents are known here, so that a tool that none of them has is a slip of the pen. */
function checkConfigBudgets(value: unknown, agents: readonly Participant[], path: string): void {
	inFile(path, () => {
		const budgets = checkedBudgets(value);
		for (const { tools } of agents.flatMap(castOf)) checkSums(budgets, tools);
		const governed = agents.flatMap((agent) => governedAgents(agent, { model: undefined, limits: {} }));
		const names = governed.flatMap(({ tools }) => tools.map(({ name }) => name));
		checkToolNames(budgets, new Set([executeCodeName, ...names]));
	});
}

/** What is refused says of which file it is. */
function inFile(path: string, check: () => void): void {
	try {
		check();
	} catch (error) {
		if (!isHoldpointError(error)) throw error;
		const { code, message, hint } = error;
		throw new HoldpointError(code, `The config ${path}: ${message}`, { hint, cause: error, details: { path } });
	}
}

function isRecord(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}

const ownFolder = new URL("../", import.meta.url).href;

/** Where in somebody's code an error arose: the first file of its stack that is neither ours nor Node's. */
function placeOf({ stack = "" }: Error): string {
	for (const [, file = "", line] of stack.matchAll(
		/(?<=^|[\s(])(file:\/\/\/[^\s()]+?|\/[^\s():]+):(\d+)(?=[:\s)]|$)/g,
	)) {
		const url = file.startsWith("file:") ? file : pathToFileURL(file).href;
		if (!url.startsWith(ownFolder) && !url.includes("/node_modules/")) return ` (${fileURLToPath(url)}:${line})`;
	}
	return "";
}

/** Node keeps the place of wrong syntax to itself, but says it when it is asked to look. */
function syntaxPlace(error: Error, path: string): string {
	if (!(error instanceof SyntaxError)) return "";
	const { stderr } = spawnSync(process.execPath, ["--check", path], { encoding: "utf8", timeout: 5_000 });
	const line = /^(?:file:\/\/)?\/.*:(\d+)$/m.exec(stderr ?? "")?.[1];
	return line === undefined ? "" : ` (${path}:${line})`;
}

function withPlace(error: HoldpointError): HoldpointError {
	const { hint, details, message, code } = error;
	return new HoldpointError(code, message + placeOf(error), { hint, cause: error, ...(details ? { details } : {}) });
}

/** Who decides, who answers, and what is written down of it. */
function checkWho({ policy, approvers, rolesOf, audit }: Record<string, unknown>, path: string): void {
	const isPolicy = typeof policy === "function" || (isRecord(policy) && typeof policy["decide"] === "function");
	if (policy !== undefined && !isPolicy)
		throw invalid(path, "has a `policy` that is neither a function nor has `decide`");
	if (approvers !== undefined && !(isRecord(approvers) && typeof approvers["of"] === "function"))
		throw invalid(path, "has `approvers` without `of`");
	if (approvers !== undefined && rolesOf !== undefined)
		throw invalid(path, "has `approvers` and `rolesOf`, which is their short form");
	if (rolesOf !== undefined && typeof rolesOf !== "function")
		throw invalid(path, "has a `rolesOf` that is no function");
	if (audit !== undefined && typeof audit !== "boolean" && !isRecord(audit))
		throw invalid(path, "has an `audit` that is neither true, false nor options of a log");
}

function invalid(path: string, what: string, cause?: unknown): HoldpointError {
	const why = cause instanceof Error ? `: ${cause.message}${placeOf(cause) || syntaxPlace(cause, path)}` : "";
	return new HoldpointError("config.invalid", `The config ${path} ${what}${why}`, {
		cause,
		details: { path },
		hint: "It exports `config = { agents: [defineAgent({...})], policy?, approvers?, webhooks?, audit?, budgets?, labels?, limits?, model? }`.",
	});
}
