/** From the options of a command to an open harness, store and config. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { Harness } from "../run/harness.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { LanguageModel } from "../spec/model.ts";
import type { Store } from "../spec/store.ts";
import type { Participant } from "../spec/team.ts";
import { type Invocation, textOption } from "./command.ts";
import type { HoldpointConfig } from "./holdpoint-config.ts";
import { configPath, loadConfig } from "./load-config.ts";
import { withModel } from "./with-model.ts";

/** Where the runs are. */
export function storePath({ host, options }: Pick<Invocation, "host" | "options">): string {
	const named = textOption({ options }, "store") ?? (host.env["HOLDPOINT_STORE"] || undefined);
	return resolve(host.cwd, named ?? ".holdpoint/holdpoint.db");
}

export interface Opened {
	readonly harness: Harness;
	readonly store: Store;
	/** Agents and teams, each with the models that it will be run with, where there are any. */
	readonly agents: readonly Participant[];
}

/**
 * Opens what lies in the store without the user's agents: enough for everybody who looks, answers or settles.
 * Errors: `run.unknown` where there is no store.
 */
export async function openInbox(invocation: Invocation): Promise<Opened> {
	return open(existingStore(invocation), { agents: [] });
}

/**
 * With the agents and the policy of the config: for those who advance runs.
 * Errors: `config.invalid`, `model.unknown`.
 */
export async function openAgents(invocation: Invocation, needs: { readonly isStoreThere: boolean }): Promise<Opened> {
	const path = needs.isStoreThere ? existingStore(invocation) : storePath(invocation);
	const config = await ownConfig(invocation);
	const { tracingOf } = await import("./open-tracing.ts");
	return open(path, { ...config, tracing: await tracingOf(invocation, path, config) }, await namedModel(invocation));
}

/** With the config where there is one: it may say how labels are kept, and name the key of the audit log. */
export function openWithConfig(invocation: Invocation): Promise<Opened> {
	return configPath(invocation) === undefined ? openInbox(invocation) : openAgents(invocation, { isStoreThere: true });
}

/** With the config where there is one, and with the traces beside the store whether any are kept now or not: they go, too. */
export async function openToErase(invocation: Invocation): Promise<Opened> {
	const path = existingStore(invocation);
	const config = configPath(invocation) === undefined ? { agents: [] } : await ownConfig(invocation);
	const { tracingToErase } = await import("./open-tracing.ts");
	return open(path, { ...config, tracing: await tracingToErase(path, config) });
}

/** What the user's config exports. Errors: `config.invalid`, also where there is none. */
export async function ownConfig(invocation: Invocation): Promise<HoldpointConfig> {
	const file = configPath(invocation);
	if (file !== undefined) {
		const store = storePath(invocation);
		const { env } = invocation.host;
		// Tools that the config makes keep away from both, and know no options.
		env["HOLDPOINT_CONFIG"] = file;
		if (textOption(invocation, "store") !== undefined) env["HOLDPOINT_STORE"] = store;
		return loadConfig(file, store);
	}
	throw new HoldpointError("config.invalid", `There is no holdpoint.config.ts in ${invocation.host.cwd}`, {
		hint: "Make one that exports `config = { agents: [...] }`, or name one with --config. The demo needs none.",
	});
}

/** Agents and teams of the config as they would be run; nothing is opened. Errors: `config.invalid`, `model.unknown`. */
export async function loadedAgents(invocation: Invocation): Promise<readonly Participant[]> {
	const { agents, model } = await ownConfig(invocation);
	const named = await namedModel(invocation);
	return agents.map((agent) => withModel(agent, { named, otherwise: model }));
}

function existingStore(invocation: Invocation): string {
	const path = storePath(invocation);
	if (existsSync(path)) return path;
	throw new HoldpointError("run.unknown", `There is no store at ${path}, so there are no runs`, {
		hint: "The first `holdpoint run` makes it. Name another one with --store or HOLDPOINT_STORE.",
		details: { path },
	});
}

async function namedModel(invocation: Invocation): Promise<LanguageModel | undefined> {
	const name = textOption(invocation, "model");
	const baseUrl = textOption(invocation, "base-url");
	if (name === undefined) {
		if (baseUrl === undefined) return undefined;
		throw new HoldpointError("usage.invalid", "--base-url needs --model provider/name", {
			hint: "Such as --model local/qwen3.",
		});
	}
	if (!name.includes("/")) {
		throw new HoldpointError(
			"usage.invalid",
			`--model takes provider/name, and ${JSON.stringify(name.slice(0, 80))} is one word`,
			{
				hint: "Such as --model openai/<name>, or --model local/<name> --base-url http://127.0.0.1:8080/v1.",
			},
		);
	}
	const { modelFromName } = await import("../adapters/models/from-name.ts");
	return modelFromName(name, { baseUrl, env: invocation.host.env });
}

async function open(path: string, config: HoldpointConfig, model?: LanguageModel): Promise<Opened> {
	const [{ createHarness }, { sqliteStore }] = await Promise.all([
		import("../holdpoint.ts"),
		import("../adapters/stores/sqlite.ts"),
	]);
	const store = sqliteStore(path);
	const agents = config.agents.map((agent) => withModel(agent, { named: model, otherwise: config.model }));
	const harness = createHarness({
		agents,
		store,
		...(config.policy ? { policy: config.policy } : {}),
		...(config.approvers ? { approvers: config.approvers } : {}),
		...(config.rolesOf ? { rolesOf: config.rolesOf } : {}),
		...(config.webhooks ? { webhooks: config.webhooks } : {}),
		...(config.audit === undefined ? {} : { audit: config.audit }),
		...(config.limits ? { limits: config.limits } : {}),
		...(config.budgets ? { budgets: config.budgets } : {}),
		...(config.labels ? { labels: config.labels } : {}),
		...(config.prices ? { prices: config.prices } : {}),
		...(config.tracing ? { tracing: config.tracing } : {}),
	});
	return { harness, store, agents };
}

/** Closes the harness whatever happens. */
export async function using<T>(opened: Opened, work: (opened: Opened) => Promise<T>): Promise<T> {
	try {
		return await work(opened);
	} finally {
		await opened.harness.close();
	}
}
