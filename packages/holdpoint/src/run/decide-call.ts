/**
 * The one governed way that every call takes, whoever makes it: schema → policy → approval.
 *
 * Owns: whether a call may start now. It leaves the call `started`, `held` or with an outcome, as events.
 *
 * 1. Arguments are parsed once; what is shown, digested, decided and executed is that one value (canonical arguments).
 * 2. The policy is asked at the moment of execution; after a wait it is asked again, with today's answers (I5).
 * 3. Nothing here has an effect outside the journal.
 */
import { approvalId, callDigest, lacking } from "../approvals/approvals.ts";
import { canonicalJson, parseJson } from "../kit/canonical-json.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { decide } from "../policy/decide.ts";
import type { FailureCode, Outcome } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { Decision, PolicyRequest } from "../spec/policy.ts";
import type { Tool } from "../spec/tool.ts";
import { validate } from "../tools/validate.ts";
import type { ApprovalAnswer, CallState } from "./call-state.ts";
import type { Segment } from "./segment.ts";

/** Moves a call that can move. Synchronous where schema and policy are. */
export function decideCall(segment: Segment, call: CallState): void | Promise<void> {
	const tool = toolFor(segment, call);
	if (call.phase === "started") return decideAfterCrash(segment, call, tool);
	if (typeof tool === "string") return fail(segment, call, "tool.unknown", tool);
	if (call.ordinal > segment.ready.limits.callsMax) {
		return fail(
			segment,
			call,
			"limit.calls",
			`This run has made its ${segment.ready.limits.callsMax} calls (callsMax)`,
		);
	}
	return call.phase === "asked" ? decideFirst(segment, call, tool) : decideAfterWait(segment, call, tool);
}

function toolFor(segment: Segment, call: CallState): Tool | string {
	const { ready } = segment;
	const names = call.parent === undefined ? ready.directTools : ready.programTools;
	const tool = names.has(call.tool) ? ready.tools.get(call.tool) : undefined;
	if (tool) return tool;
	const elsewhere = ready.tools.has(call.tool)
		? call.parent === undefined
			? ` Call it from a program: await tools.${call.tool}(...).`
			: " It cannot be called from a program."
		: "";
	return `There is no tool "${call.tool.slice(0, 100)}" here.${elsewhere} Available: ${[...names].slice(0, 50).join(", ") || "none"}.`;
}

function fail(segment: Segment, call: CallState, code: FailureCode, message: string): void {
	finish(segment, call, { failed: message, code });
}

function finish(segment: Segment, call: CallState, outcome: Outcome): void {
	segment.emit({ type: "call.finished", call: call.id, outcome });
}

function decideFirst(segment: Segment, call: CallState, tool: Tool): void | Promise<void> {
	if (segment.ready.agent.middleware.some((layer) => layer.prepareCall)) return decidePrepared(segment, call, tool);
	if (call.asked === undefined) {
		return fail(
			segment,
			call,
			"tool.args_invalid",
			`The arguments of ${tool.name} are no valid JSON: ${call.input.slice(0, 200)}`,
		);
	}
	return decideArguments(segment, call, tool, call.asked);
}

async function decidePrepared(segment: Segment, call: CallState, tool: Tool): Promise<void> {
	let args: Json = call.asked ?? call.input;
	try {
		for (const layer of segment.ready.agent.middleware) {
			// A copy: what was asked is in the journal, and nobody changes it in place.
			const info = { call: call.id, tool: call.tool, parent: call.parent, args: structuredClone(args) };
			if (layer.prepareCall) args = await layer.prepareCall(info, segment.info);
		}
	} catch (error) {
		return fail(segment, call, "tool.args_invalid", reasonOf(error));
	}
	return decideArguments(segment, call, tool, args);
}

function decideArguments(segment: Segment, call: CallState, tool: Tool, asked: Json): void | Promise<void> {
	const parsed = canonicalArguments(tool, asked, segment.ready.limits.argsBytesMax);
	return parsed instanceof Promise
		? parsed.then((value) => decideParsed(segment, call, tool, value))
		: decideParsed(segment, call, tool, parsed);
}

export type CanonicalArguments =
	| { readonly ok: true; readonly args: Json; readonly text: string }
	| { readonly ok: false; readonly code: FailureCode; readonly message: string };

/** Parses arguments with the tool's schema and brings them into their one canonical form. */
export function canonicalArguments(
	tool: Tool,
	asked: Json,
	bytesMax: number,
): CanonicalArguments | Promise<CanonicalArguments> {
	const result = validate(tool.input, asked);
	return result instanceof Promise
		? result.then((value) => toCanonical(tool, value, bytesMax))
		: toCanonical(tool, result, bytesMax);
}

function toCanonical(
	tool: Tool,
	result: Exclude<ReturnType<typeof validate>, Promise<unknown>>,
	bytesMax: number,
): CanonicalArguments {
	if (!result.ok)
		return {
			ok: false,
			code: "tool.args_invalid",
			message: `The arguments of ${tool.name} do not fit: ${result.issues}`,
		};
	let text: string;
	try {
		text = canonicalJson(result.value);
	} catch (error) {
		const message = `The arguments of ${tool.name} are no JSON: ${reasonOf(error)}`;
		return { ok: false, code: "tool.args_invalid", message };
	}
	const bytes = Buffer.byteLength(text);
	if (bytes >= bytesMax) {
		const message = `The arguments of ${tool.name} have ${bytes} bytes; the limit is ${bytesMax} (argsBytesMax)`;
		return { ok: false, code: "tool.args_too_large", message };
	}
	const args = parseJson(text, bytesMax);
	// Parsing dropped it, so that the text would not be that of the value any more.
	return { ok: true, args, text: text.includes('"__proto__"') ? canonicalJson(args) : text };
}

function decideParsed(segment: Segment, call: CallState, tool: Tool, parsed: CanonicalArguments): void | Promise<void> {
	if (!parsed.ok) return fail(segment, call, parsed.code, parsed.message);
	return askPolicy(segment, call, candidateOf(segment, call, tool, parsed));
}

/** What is to be decided: the call as it would be executed now. */
interface Candidate {
	readonly tool: Tool;
	readonly args: Json;
	readonly text: string;
	readonly digest: string;
	/** An answer to another tool version or other arguments answers nothing here. */
	readonly answers: readonly ApprovalAnswer[];
}

function candidateOf(segment: Segment, call: CallState, tool: Tool, parsed: Pick<Candidate, "args" | "text">): Candidate {
	const { args, text } = parsed;
	const bound = { run: segment.state.run, call: call.id, tool: tool.name, version: tool.version, args: text };
	const digest = callDigest(bound);
	return { tool, args, text, digest, answers: digest === call.digest ? validAnswers(segment, call) : [] };
}

function askPolicy(segment: Segment, call: CallState, candidate: Candidate): void | Promise<void> {
	const decision = decisionOn(segment, call, candidate);
	return decision instanceof Promise
		? decision.then((value) => follow(segment, call, candidate, value))
		: follow(segment, call, candidate, decision);
}

function decisionOn(segment: Segment, call: CallState, candidate: Candidate): Decision | Promise<Decision> {
	const { policy } = segment.ports;
	return decide(policy, policyRequest(segment, call, candidate), segment.ready.limits.policyTimeoutMs);
}

function policyRequest(segment: Segment, call: CallState, { tool, args, answers }: Candidate): PolicyRequest {
	const started = segment.state.started;
	return {
		run: segment.state.run,
		call: call.id,
		principal: started?.principal ?? "",
		tenant: started?.tenant,
		session: started?.session?.id,
		agent: segment.ready.agent.name,
		provenance: call.parent === undefined ? { via: "model" } : { via: "program", program: call.parent },
		tool: { name: tool.name, version: tool.version, effect: tool.effect, tags: tool.tags },
		args,
		approvedBy: answers.map((answer) => answer.by.id),
	};
}

/** Those that are not spent, void or too old. */
export function validAnswers(segment: Segment, call: CallState): readonly ApprovalAnswer[] {
	const { approval } = call;
	if (!approval || approval.denied || approval.closed) return [];
	const oldest = segment.ports.clock.now() - segment.ready.limits.approvalSpendWithinMs;
	return approval.answers.filter((answer) => answer.at > oldest);
}

function follow(segment: Segment, call: CallState, candidate: Candidate, decision: Decision): void {
	const { text, digest, answers } = candidate;
	segment.emit({
		type: "call.decided",
		call: call.id,
		verdict: decision.verdict,
		...(decision.reason ? { reason: decision.reason } : {}),
		policy: segment.ports.policy.version,
		digest,
		...(answers.length > 0 ? { approvedBy: answers.map((answer) => answer.by.id) } : {}),
		// Parsed anew: the policy has had the candidate's in its hands.
		...(sameArguments(call, text) ? {} : { args: JSON.parse(text) as Json }),
	});
	if (decision.verdict === "deny") return finish(segment, call, { denied: decision.reason, by: "policy" });
	if (decision.verdict === "ask") {
		const ask = { roles: decision.ask?.roles ?? [], count: decision.ask?.count ?? 1 };
		if (lacking(ask, answers) !== undefined)
			return hold(segment, call, { digest, decision, carries: answers.map(({ by }) => by.id) });
	}
	segment.emit({ type: "call.started", call: call.id, attempt: call.attempt + 1 });
}

/** Are the canonical arguments those that the journal already has for this call? */
function sameArguments(call: CallState, text: string): boolean {
	const known = call.args ?? call.asked;
	try {
		return known !== undefined && canonicalJson(known) === text;
	} catch {
		// What the model wrote may be deeper than what the schema made of it.
		return false;
	}
}

interface Hold {
	readonly digest: string;
	readonly decision: Extract<Decision, { verdict: "ask" }>;
	readonly carries: readonly string[];
}

function hold(segment: Segment, call: CallState, { digest, decision, carries }: Hold): void {
	const { roles, count, expiresInMs } = decision.ask ?? {};
	segment.emit({
		type: "approval.requested",
		approval: approvalId(segment.ports.storeId, digest, call.approvals + 1),
		call: call.id,
		...(roles && roles.length > 0 ? { roles } : {}),
		...(count !== undefined && count !== 1 ? { count } : {}),
		expiresAt: segment.ports.clock.now() + (expiresInMs ?? segment.ready.limits.approvalExpiresInMs),
		...(carries.length > 0 ? { carries } : {}),
	});
}

/** Held, and now answered, expired or closed. The stored arguments are canonical: the same tool does not parse them again. */
function decideAfterWait(segment: Segment, call: CallState, tool: Tool): void | Promise<void> {
	const { approval } = call;
	if (approval?.denied) {
		const { by, reason } = approval.denied;
		return finish(segment, call, { denied: reason ?? "no reason given", by: by.id });
	}
	if (call.phase === "held") {
		segment.emit({ type: "approval.closed", approval: approval?.id ?? "", call: call.id, why: "expired" });
		return finish(segment, call, { denied: "nobody approved it in time", by: "expiry" });
	}
	const candidate = knownCandidate(segment, call, tool);
	if (candidate.digest === call.digest) return askPolicy(segment, call, candidate);
	// The tool changed while it waited: what was canonical for the old one may not fit the new one.
	return call.edited ? decideArguments(segment, call, tool, call.args ?? null) : decideFirst(segment, call, tool);
}

/** The call with the arguments that the journal has; a copy, because a policy gets them in its hands. */
function knownCandidate(segment: Segment, call: CallState, tool: Tool): Candidate {
	const text = canonicalJson(call.args ?? null);
	return candidateOf(segment, call, tool, { args: JSON.parse(text) as Json, text });
}

/** I7: started by a process that died. What may be repeated is decided anew and repeated; the rest nobody knows. */
function decideAfterCrash(segment: Segment, call: CallState, tool: Tool | string): void | Promise<void> {
	if (typeof tool === "string")
		return unknown(segment, call, `the process that ran it died, and it cannot be repeated: ${tool}`);
	if (tool.repeat === "once")
		return unknown(segment, call, "the process that ran it died before its outcome was written");
	if (call.attempt >= segment.ready.limits.attemptsMax && tool.effect !== "internal") {
		return unknown(segment, call, `it was started ${call.attempt} times and no outcome was ever written`);
	}
	const decision = decisionOn(segment, call, knownCandidate(segment, call, tool));
	const again = (value: Decision): void => {
		// Its approval was spent on this very call and key; only a denial stops the repetition, and then nobody knows.
		if (value.verdict === "deny")
			return unknown(segment, call, `the policy no longer allows to repeat it: ${value.reason}`);
		segment.emit({ type: "call.started", call: call.id, attempt: call.attempt + 1 });
	};
	return decision instanceof Promise ? decision.then(again) : again(decision);
}

function unknown(segment: Segment, call: CallState, why: string): void {
	finish(segment, call, { unknown: why });
}
