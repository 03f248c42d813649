import { isCedarPolicy, type PolicyExplanation } from "../../adapters/policies/cedar/cedar-policy.ts";
import { decide } from "../../policy/decide.ts";
import { budgetsNow } from "../../run/call-budgets.ts";
import { provenanceOf as provenanceOfCall } from "../../run/decide-call.ts";
import type { RunView } from "../../run/show-run.ts";
import { HoldpointError } from "../../spec/errors.ts";
import { defaultLimits } from "../../spec/limits.ts";
import type { PolicyRequest } from "../../spec/policy.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { jsonOption } from "../commands/approve.ts";
import { findRun, newestRun } from "../find-run.ts";
import { openInbox, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { dateTime } from "../render/duration.ts";
import { jsonText } from "../render/json-text.ts";
import { inlineText } from "../render/safe-text.ts";
import { wrap } from "../render/text-width.ts";
import { ruleLine } from "./check-policy.ts";
import {
	agentNamed,
	budgetsWith,
	type OwnPolicy,
	ownPolicy,
	provenanceOf,
	requestOf,
	toolNamed,
} from "./own-policy.ts";

/** Which policies decide a call as they do, and what would lift it: of a run, or one that nobody made. */
export async function explainPolicy(invocation: Invocation): Promise<number> {
	const own = await ownPolicy(invocation);
	await own.policy.ready?.(own.agents, own);
	const isMade = textOption(invocation, "tool") === undefined;
	const asked = isMade ? await madeCall(invocation, own) : { request: imagined(invocation, own), decided: [] };
	const explanation = await explained(own, asked.request);
	const { tool, args, agent, principal } = asked.request;
	const { terminal } = invocation;
	terminal.answer({ tool: tool.name, args, agent, principal, decided: asked.decided, now: explanation }, () => [
		`${terminal.style.bold(inlineText(tool.name, 80))} ${jsonText(args, terminal.width - tool.name.length - 1)}`,
		terminal.style.dim(
			`by agent ${inlineText(agent, 80)}, for ${inlineText(principal, 80)}, via ${asked.request.provenance.via}`,
		),
		...asked.decided.map(
			({ at, verdict, reason, policy }) =>
				`  ${dateTime(at)}  ${verdict}${reason ? `: ${inlineText(reason, 300)}` : ""}  ${terminal.style.dim(inlineText(policy, 80))}`,
		),
		"",
		...explanationLines(explanation, invocation),
	]);
	return exitCodes.done;
}

interface MadeCall {
	readonly request: PolicyRequest;
	/** How it was decided in its run, the first time first. */
	readonly decided: readonly {
		readonly at: number;
		readonly verdict: string;
		readonly reason?: string;
		readonly policy: string;
	}[];
}

async function explained({ policy, policyTimeoutMs }: OwnPolicy, request: PolicyRequest): Promise<PolicyExplanation> {
	if (isCedarPolicy(policy)) return policy.explain(request);
	const decision = await decide(policy, request, policyTimeoutMs ?? defaultLimits.policyTimeoutMs);
	return { version: policy.version, decision, rules: [] };
}

function explanationLines({ version, decision, rules, lift }: PolicyExplanation, { terminal }: Invocation): string[] {
	const { style, width } = terminal;
	const colour = { allow: style.green, ask: style.yellow, deny: style.red }[decision.verdict];
	return [
		`${colour(decision.verdict)}  ${style.dim(`today, by ${inlineText(version, 80)}`)}`,
		...(decision.reason ? wrap(inlineText(decision.reason, 1_000), width - 2).map((line) => `  ${line}`) : []),
		...rules.map(ruleLine),
		...(lift === undefined
			? []
			: wrap(`What would lift it: ${inlineText(lift, 500)}.`, width - 2).map((line) => `  ${line}`)),
	];
}

function imagined(invocation: Invocation, { agents, budgets }: OwnPolicy): PolicyRequest {
	if (invocation.positionals.length > 1)
		throw usageInvalid("policy explain takes a run and a call, or --tool, not both");
	const agent = agentNamed(agents, textOption(invocation, "agent"));
	const tool = toolNamed(agent, textOption(invocation, "tool") ?? "");
	return requestOf(tool, {
		agent: agent.name,
		principal: textOption(invocation, "principal") ?? osApprover(invocation).id,
		args: jsonOption(invocation, "args") ?? {},
		tenant: textOption(invocation, "tenant"),
		session: textOption(invocation, "session"),
		provenance: provenanceOf(textOption(invocation, "via") ?? "model"),
		// Nobody made it, so that nobody's accounts are looked up.
		budgets: budgetsWith(budgets),
	});
}

async function madeCall(invocation: Invocation, own: OwnPolicy): Promise<MadeCall> {
	const given = ["args", "agent", "principal", "tenant", "session", "via"].find((name) => name in invocation.options);
	if (given !== undefined) throw usageInvalid(`--${given} is of a call that nobody made: say which --tool`);
	return using(await openInbox(invocation), async ({ harness, store }) => {
		const [, one = "", two] = invocation.positionals;
		const [first, second = two] = one.split("/", 2) as [string, string?];
		const isCallAlone = second === undefined && /^c\d+(\.\d+)*$/.test(first);
		const run = isCallAlone || first === "" ? await newestRun(store) : await findRun(store, first);
		const { request, decided } = callOf(await harness.show(run), isCallAlone ? first : second, own);
		const budgets = await budgetsNow(own.budgets, request, { store, now: Date.now() });
		return { request: { ...request, budgets }, decided };
	});
}

function callOf({ run, state, events }: RunView, id: string | undefined, { agents }: OwnPolicy): MadeCall {
	const call = state.calls.get(id ?? "");
	const { started } = state;
	if (!call || !started) {
		const known = [...state.calls.values()].slice(0, 20).map((one) => `${one.id} ${one.tool}`);
		const what = id === undefined ? `Which call of run ${run}?` : `Run ${run} has no call ${JSON.stringify(id)}`;
		throw usageInvalid(what, known.length > 0 ? `Its calls: ${known.join(", ")}.` : "It has made no calls yet.");
	}
	if (call.args === undefined) {
		const message = `The call ${call.id} of run ${run} was never decided: its arguments did not come as far`;
		throw new HoldpointError("usage.invalid", message, { hint: `See \`holdpoint show ${run}\`.` });
	}
	const agent = agentNamed(agents, call.thread.agent);
	const { principal, tenant, session } = started;
	const provenance = provenanceOfCall({ state }, call);
	const { label } = call;
	const facts = { run, call: call.id, agent: agent.name, principal, tenant, session: session?.id, provenance, label };
	const decided = events.flatMap(({ at, event }) => {
		if (event.type !== "call.decided" || event.call !== call.id) return [];
		const { verdict, reason, policy } = event;
		return [{ at, verdict, policy, ...(reason === undefined ? {} : { reason }) }];
	});
	return { request: requestOf(toolNamed(agent, call.tool), { ...facts, args: call.args }), decided };
}
