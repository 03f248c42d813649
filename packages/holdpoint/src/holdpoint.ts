/**
 * The composition root: ports in, a harness out. Short and boring on purpose.
 */
import { userInfo } from "node:os";
import { memoryStore } from "./adapters/stores/memory.ts";
import type { Auditor } from "./audit/auditor.ts";
import type { AuditOptions } from "./audit/open-auditor.ts";
import { assertIsolation, bestSandbox } from "./best-sandbox.ts";
import { checkPrices } from "./budgets/check-budgets.ts";
import { usdOf } from "./budgets/price.ts";
import { StandingDocument } from "./grants/standing.ts";
import { checkKeys, loadKeys, newKey } from "./journal/keys.ts";
import { type Clock, systemClock } from "./kit/clock.ts";
import { digest } from "./kit/digest.ts";
import { newId } from "./kit/id.ts";
import { type OptionShape, optionProblem, shapes } from "./kit/option-problem.ts";
import { ownerIsDead, processOwner } from "./kit/owner.ts";
import { keyRing, type SealKey } from "./kit/seal.ts";
import { labelRules } from "./labels/label-rules.ts";
import { type PolicyLike, toPolicy } from "./policy/decide.ts";
import { effectPolicy } from "./policy/effect-policy.ts";
import { checkedBudgets } from "./run/call-budgets.ts";
import { Harness } from "./run/harness.ts";
import { layingDown } from "./run/lay-down.ts";
import type { RunPorts } from "./run/run-ports.ts";
import type { Approver, Approvers } from "./spec/approver.ts";
import type { Budget, Prices } from "./spec/budget.ts";
import { HoldpointError } from "./spec/errors.ts";
import type { LabelRules } from "./spec/label.ts";
import { defaultLimits, type Limits } from "./spec/limits.ts";
import type { LanguageModel } from "./spec/model.ts";
import type { SandboxProvider } from "./spec/sandbox.ts";
import type { Store } from "./spec/store.ts";
import type { Participant } from "./spec/team.ts";
import type { Generation, TraceExporter } from "./spec/trace.ts";
import type { Webhook } from "./spec/webhooks.ts";
import { checkTracing } from "./trace/check-tracing.ts";
import type { Tracer } from "./trace/tracer.ts";
import { readyWebhooks } from "./webhooks/ready-webhook.ts";

export interface HarnessOptions {
	/** Agents that runs may be resumed with. Those passed to `run` are known without being named here. */
	readonly agents?: readonly Participant[];
	/** For agents that have none of their own. */
	readonly model?: LanguageModel;
	/** Default: in memory, gone with the process. The harness owns it from here on, and closes it. */
	readonly store?: Store;
	/** Default: the tool's effect class decides. A function is a policy too. */
	readonly policy?: PolicyLike;
	/**
	 * Default: `auto`, a micro-VM where one boots, else WebAssembly; HOLDPOINT_SANDBOX names one instead. Started when the
	 * first program runs, closed with the harness.
	 */
	readonly sandbox?: SandboxProvider | "auto" | "off";
	/** `hardware`: refuse what is no hardware isolation instead of falling back. Default: `any`. */
	readonly isolation?: "hardware" | "any";
	/** Keys that seal stored state, the current one first. Default: HOLDPOINT_KEYS, else a key file beside the store. */
	readonly keys?: readonly SealKey[];
	/** Who may approve what. Default: anybody, and nobody has a role, so that an ask for a role waits. */
	readonly approvers?: Approvers;
	/** The same where nothing but the roles of a person matters. */
	readonly rolesOf?: (approver: Approver) => readonly string[];
	/**
	 * Keeps an audit log that a stranger can verify. Default: only where the store has one already, because a log with
	 * gaps proves little.
	 */
	readonly audit?: boolean | AuditOptions;
	/**
	 * Keeps labels of what was read, and asks before a call that changes something rests on untrusted data, or shows data
	 * to others than its readers. Default: off. `true`: on, with the rules' defaults.
	 */
	readonly labels?: boolean | LabelRules;
	/** Who is told what waits for people and how runs stand, signed, at least once. */
	readonly webhooks?: readonly Webhook[];
	readonly limits?: Partial<Limits>;
	/** What runs may spend together; every process that advances runs of the store is given the same. */
	readonly budgets?: readonly Budget[];
	/** What models cost, where budgets count money: before the table of well-known ones. */
	readonly prices?: Prices;
	/** Who is given traces and metrics of what runs here, and what may be in them. Default: nobody. */
	readonly tracing?: TracingOptions;
	readonly clock?: Clock;
}

export interface TracingOptions {
	/** The harness owns them from here on, and closes them. */
	readonly exporters: readonly TraceExporter[];
	/**
	 * Records what was said: messages, arguments, results, reasons. What tools mark as sensitive is taken out. Default:
	 * OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT, else false.
	 */
	readonly content?: boolean;
	/** Of OpenTelemetry's conventions. Default: OTEL_SEMCONV_STABILITY_OPT_IN, else `v1.41`. */
	readonly generation?: Generation;
}

/** Puts a harness together. Nothing is opened before it is needed; `close()` ends what was. Errors: `key.invalid`, `config.invalid`. */
export function createHarness(options: HarnessOptions = {}): Harness {
	checkOptions(options);
	const store = options.store ?? memoryStore();
	const clock = options.clock ?? systemClock;
	const labels = labelRules(options.labels);
	const approvers = approversOf(options);
	const budgets = checkedBudgets(options.budgets ?? []);
	const prices = checkPrices(options.prices ?? {});
	if (options.tracing !== undefined) checkTracing(options.tracing);
	let sandbox: Promise<SandboxProvider> | undefined;
	// What a machine lacks now it may have at the next try.
	const forget = (error: unknown): never => {
		sandbox = undefined;
		throw error;
	};
	let user: string | undefined;
	const principal = () => (user ??= systemUser());
	let auditor: Auditor | undefined;
	let tracer: Tracer | undefined;
	const openAudit = async () => {
		auditor ??= await auditorFor(options.audit, store);
		return auditor;
	};
	const ports = async (): Promise<RunPorts> => {
		const storeId = await store.id();
		const audit = await openAudit();
		const ring = keyRing(options.keys ? checkKeys(options.keys, "createHarness({ keys })") : await keysFor(store));
		const standing = new StandingDocument({ store, storeId, ring, now: () => clock.now(), audit });
		tracer ??= await tracerFor(options.tracing, { store: storeId, prices });
		const policy = options.policy ? toPolicy(options.policy) : effectPolicy;
		return {
			store,
			storeId,
			audit,
			tracer,
			ring,
			standing,
			layDown: layingDown({ audit, standing, policy, budgets, clock }, principal),
			budgets,
			prices,
			clock,
			random: Math.random,
			owner: processOwner(),
			ownerIsDead,
			policy,
			labels,
			approvers,
			signalsMax: options.limits?.signalsMax ?? defaultLimits.signalsMax,
			sessionRunsMax: options.limits?.sessionRunsMax ?? defaultLimits.sessionRunsMax,
			sandbox: options.sandbox === "off" ? undefined : () => (sandbox ??= openSandbox(options).catch(forget)),
		};
	};
	return new Harness({
		ports,
		agents: options.agents ?? [],
		model: options.model,
		limits: options.limits ?? {},
		webhooks: readyWebhooks(options.webhooks ?? []),
		budgets,
		labels: labels !== undefined,
		principal,
		newRunId: () => newId("run", clock.now()),
		close: async () => {
			if (tracer) await tracer.close();
			// Nothing was opened: whoever was handed over is closed all the same.
			else await Promise.allSettled((options.tracing?.exporters ?? []).map((exporter) => exporter.close()));
			await auditor?.close();
			await (await sandbox?.catch(() => undefined))?.close();
			await store.close();
		},
	});
}

/** What has a check of its own is looked at there. */
const harnessOptions: { readonly [Name in keyof HarnessOptions]-?: OptionShape } = {
	agents: shapes.list,
	model: shapes.object,
	store: shapes.object,
	policy: shapes.any,
	sandbox: [(value) => value === "auto" || value === "off" || shapes.object[0](value), '"auto", "off", or a sandbox'],
	isolation: [(value) => value === "hardware" || value === "any", '"hardware" or "any"'],
	keys: shapes.list,
	approvers: shapes.any,
	rolesOf: shapes.function,
	audit: shapes.flagOrOptions,
	labels: shapes.any,
	webhooks: shapes.list,
	limits: shapes.object,
	budgets: shapes.any,
	prices: shapes.any,
	tracing: shapes.object,
	clock: shapes.object,
};

/** One that is misspelt would be a policy that nobody asks. Errors: `config.invalid`. */
function checkOptions(options: HarnessOptions): void {
	const found = optionProblem(options, harnessOptions);
	if (found) throw new HoldpointError("config.invalid", `createHarness sets ${found.problem}`, { hint: found.hint });
}

/** Errors: `config.invalid`. */
function approversOf({ approvers, rolesOf }: HarnessOptions): Approvers | undefined {
	const isRight = approvers === undefined || typeof approvers.of === "function";
	if (!isRight || (approvers && rolesOf)) {
		throw new HoldpointError(
			"config.invalid",
			`createHarness has ${isRight ? "approvers and rolesOf" : "approvers without `of`"}`,
			{
				hint: "Pass `approvers: { version, of }`, or `rolesOf`, which is its short form; not both.",
			},
		);
	}
	if (approvers || !rolesOf) return approvers;
	return {
		version: `function:${digest(rolesOf.toString()).slice(0, 8)}`,
		of: (approver) => ({ roles: rolesOf(approver) }),
	};
}

/** Errors: `config.invalid`, `key.invalid`. */
async function auditorFor(audit: HarnessOptions["audit"], store: Store): Promise<Auditor | undefined> {
	if (audit === false) return undefined;
	if (audit === undefined && (await store.audit.head()).size === 0) return undefined;
	const { openAuditor } = await import("./audit/open-auditor.ts");
	return openAuditor(store, typeof audit === "object" ? audit : {});
}

async function tracerFor(
	tracing: TracingOptions | undefined,
	{ store, prices }: { readonly store: string; readonly prices: Prices },
): Promise<Tracer | undefined> {
	if (!tracing || tracing.exporters.length === 0) return undefined;
	const { openTracer } = await import("./trace/tracer.ts");
	return openTracer({ ...tracing, store, costOf: usdOf(prices) }, process.env);
}

/** The user whom the operating system logged in; a container may have none with a name. */
function systemUser(): string {
	try {
		return userInfo().username;
	} catch {
		return `uid:${process.getuid?.() ?? "unknown"}`;
	}
}

async function keysFor(store: Store): Promise<readonly SealKey[]> {
	const file = store.keyFile;
	if (file === undefined) return [newKey()];
	return loadKeys({ env: process.env, file, isStoreNew: async () => (await store.runs({ limit: 1 })).length === 0 });
}

async function openSandbox({ sandbox, isolation = "any" }: HarnessOptions): Promise<SandboxProvider> {
	if (typeof sandbox === "object") return isolation === "any" ? sandbox : assertIsolation(sandbox);
	return bestSandbox({ isolation, named: process.env["HOLDPOINT_SANDBOX"] });
}
