/** The user's agents and policy: `export const config` of a module, looked at by hand before it is believed. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Agent } from "../spec/agent.ts";
import { HoldpointError, isHoldpointError } from "../spec/errors.ts";
import { defaultLimits } from "../spec/limits.ts";
import { type Invocation, textOption } from "./command.ts";
import type { HoldpointConfig } from "./holdpoint-config.ts";

/** The shop of `holdpoint demo`: shipped inside, and named like a file. */
export const demoConfigName = "holdpoint:demo";

const fileNames = ["holdpoint.config.ts", "holdpoint.config.mjs", "holdpoint.config.js"];

/** What was asked for with --config or HOLDPOINT_CONFIG, or lies in the working directory; undefined: nothing. */
export function configPath({ host, options }: Pick<Invocation, "host" | "options">): string | undefined {
	const named = textOption({ options }, "config") ?? (host.env["HOLDPOINT_CONFIG"] || undefined);
	if (named === demoConfigName) return named;
	if (named !== undefined) return resolve(host.cwd, named);
	return fileNames.map((name) => join(host.cwd, name)).find((path) => existsSync(path));
}

/** Errors: `config.invalid`. */
export async function loadConfig(path: string, store: string): Promise<HoldpointConfig> {
	if (path === demoConfigName) {
		const { shopConfig } = await import("./demo/shop-config.ts");
		return shopConfig(store);
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
	const known = ["agents", "policy", "rolesOf", "audit", "limits", "model"];
	const unknown = Object.keys(value).find((name) => !known.includes(name));
	if (unknown) throw invalid(path, `sets "${unknown}"; known: ${known.join(", ")}`);
	const { agents, policy, rolesOf, audit, limits, model } = value;
	if (!Array.isArray(agents) || agents.length === 0) throw invalid(path, "names no `agents`");
	for (const [at, agent] of agents.entries()) checkAgent(agent, at, path);
	const names = agents.map((agent: Agent) => agent.name);
	const twice = names.find((name, at) => names.indexOf(name) !== at);
	if (twice) throw invalid(path, `has two agents named ${twice}`);
	const isPolicy = typeof policy === "function" || (isRecord(policy) && typeof policy["decide"] === "function");
	if (policy !== undefined && !isPolicy)
		throw invalid(path, "has a `policy` that is neither a function nor has `decide`");
	if (rolesOf !== undefined && typeof rolesOf !== "function")
		throw invalid(path, "has a `rolesOf` that is no function");
	if (audit !== undefined && typeof audit !== "boolean" && !isRecord(audit))
		throw invalid(path, "has an `audit` that is neither true, false nor options of a log");
	if (limits !== undefined) checkLimits(limits, path);
	if (model !== undefined && !(isRecord(model) && typeof model["doStream"] === "function")) {
		throw invalid(path, "has a `model` that is no language model");
	}
	return value as unknown as HoldpointConfig;
}

function checkAgent(agent: unknown, at: number, path: string): void {
	const fits = isRecord(agent) && typeof agent["name"] === "string" && typeof agent["digest"] === "string";
	if (!fits || !Array.isArray(agent["tools"])) {
		throw invalid(path, `has as agents[${at}] something that \`defineAgent\` did not make`);
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

function invalid(path: string, what: string, cause?: unknown): HoldpointError {
	const why = cause instanceof Error ? `: ${cause.message}${placeOf(cause) || syntaxPlace(cause, path)}` : "";
	return new HoldpointError("config.invalid", `The config ${path} ${what}${why}`, {
		cause,
		details: { path },
		hint: "It exports `config = { agents: [defineAgent({...})], policy?, rolesOf?, audit?, limits?, model? }`.",
	});
}
