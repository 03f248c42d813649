/**
 * What a held program would do: a copy of it goes on, and nothing that it asks for happens.
 *
 * 1. In the copy every call that is not an allowed read is simulated, whatever the policy says of it: an allowed write
 *    does not run either.
 * 2. Reads are governed like any other, and really made. They are limited, and nothing of them enters the run.
 * 3. What is simulated counts against budgets within the rehearsal, and nothing of it is held or spent.
 * 4. Whatever goes wrong in it is what the rehearsal says, and no failure of the run.
 */

import { spentOf } from "../journal/journal.ts";
import { canonicalJson } from "../kit/canonical-json.ts";
import { inTime } from "../kit/in-time.ts";
import { sampleOf } from "../kit/json-schema-sample.ts";
import { reasonOf } from "../kit/reason-of.ts";
import { joinLabels, labelOf } from "../labels/label.ts";
import type { Outcome, ProgramRehearsed, RehearsedCall } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { Label } from "../spec/label.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { PolicyRequest } from "../spec/policy.ts";
import type { Answer, Ask, Guest } from "../spec/sandbox.ts";
import type { DoneInRun, Tool } from "../spec/tool.ts";
import { validate } from "../tools/validate.ts";
import { aroundCall } from "./around-call.ts";
import { type Charging, chargesOf, refusing, shortOf } from "./call-budgets.ts";
import type { CallState } from "./call-state.ts";
import { newCall } from "./call-state.ts";
import { canonicalArguments } from "./canonical-arguments.ts";
import { policyRequest, preparedArguments, toolFor } from "./decide-call.ts";
import { attempt } from "./execute-call.ts";
import { judgeCall } from "./judge-call.ts";
import { limitsOf, programOf } from "./program-guest.ts";
import { askedWith } from "./program-slice.ts";
import { isForeseen } from "./rehearsed-rows.ts";
import { forkOf } from "./restore-program.ts";
import { callOf, nextOrdinal } from "./run-state.ts";
import type { Segment } from "./segment.ts";
import { rehearsalHolder, type Wanted } from "./wanted.ts";

/** Before the run waits. Returns whether one was rehearsed. */
export async function rehearsePrograms(segment: Segment): Promise<boolean> {
	const programs = new Set<string>();
	for (const id of segment.state.asking) {
		const { phase, parent } = callOf(segment.state, id);
		if (phase === "held" && parent !== undefined) programs.add(parent);
	}
	let isAny = false;
	for (const id of programs) {
		const call = callOf(segment.state, id);
		if (!isWanted(segment, call)) continue;
		isAny = true;
		segment.beat();
		segment.emit(await new Rehearsal(segment, call).play());
	}
	return isAny;
}

function isWanted(segment: Segment, call: CallState): boolean {
	const program = programOf(call);
	if (program.rehearse) return true;
	if ((program.rehearsals ?? 0) >= fixedLimits.rehearsalsMax) return false;
	const held = [...program.open].map((id) => callOf(segment.state, id)).filter(({ phase }) => phase === "held");
	// With what was foreseen nothing new would come out.
	if (program.rehearsal && held.every((one) => isForeseen(segment, one))) return false;
	return (
		segment.readyOf(call.thread).agent.programs?.rehearse === true || held.some(({ approval }) => approval?.rehearse)
	);
}

type End = Pick<ProgramRehearsed, "end" | "why">;

class Rehearsal {
	private readonly segment: Segment;
	private readonly call: CallState;
	private readonly rows: RehearsedCall[] = [];
	private reads = 0;
	private calls = 0;
	private chars = 0;
	/** A value was made up: what comes after it may come otherwise. */
	private isUncertain = false;
	/** By account, what the program would take by now. Its reads will be made, and count, once more. */
	private readonly foreseen = new Map<string, number>();
	private label: Label | undefined;

	constructor(segment: Segment, call: CallState) {
		this.segment = segment;
		this.call = call;
		this.label = programOf(call).label;
	}

	async play(): Promise<ProgramRehearsed> {
		const { asks } = programOf(this.call);
		const end = await this.goOn().catch((error: unknown): End => {
			// Stopped, and not the rehearsal's doing.
			this.segment.check();
			return { end: "stopped", why: reasonOf(error).slice(0, fixedLimits.errorCharsMax) };
		});
		return {
			type: "program.rehearsed",
			call: this.call.id,
			asked: asks.length,
			rows: this.rows,
			reads: this.reads,
			...end,
		};
	}

	private async goOn(): Promise<End> {
		let answers = await this.heldAnswers();
		const fork = await forkOf(this.segment, this.call);
		if (typeof fork === "string") return { end: "stopped", why: fork };
		try {
			for (;;) {
				const end = await this.slice(fork, answers);
				if ("end" in end) return end;
				answers = end.answers;
			}
		} finally {
			fork.dispose();
		}
	}

	private async slice(fork: Guest, answers: readonly Answer[]): Promise<End | { readonly answers: Answer[] }> {
		const { segment } = this;
		const { asks, state } = await fork.advance({ answers, clockMs: segment.ports.clock.now() }, segment.abort.signal);
		if (state.kind === "returned") return { end: "returned" };
		if (state.kind === "threw")
			return { end: "threw", why: `${state.error.name}: ${state.error.message}`.slice(0, fixedLimits.errorCharsMax) };
		if (state.kind === "stopped") return { end: "stopped", why: state.message };
		if (asks.length === 0) return { end: "stopped", why: "it waits for nothing that could come" };
		const next: Answer[] = [];
		for (const ask of asks) {
			const isTooMuch = ++this.calls > fixedLimits.rehearsalCallsMax || this.chars > fixedLimits.rehearsalCharsMax;
			if (isTooMuch) return { end: "limit", why: `it was followed for ${this.calls - 1} calls and no further` };
			// Whoever cancels the run, or answers meanwhile, does not wait for this.
			if (segment.isCalled) return { end: "stopped", why: "something was said to the run meanwhile" };
			next.push(await this.answer(ask));
		}
		return { answers: next };
	}

	/** The calls with which it is held, in the order in which it asked for them. */
	private async heldAnswers(): Promise<Answer[]> {
		const { asks, open } = programOf(this.call);
		const answers: Answer[] = [];
		for (const id of asks) {
			if (!open.has(id)) continue;
			const held = callOf(this.segment.state, id);
			const tool = this.segment.toolOf(held);
			// In the order of every other row, so that rows can be compared.
			const args = JSON.parse(canonicalJson(held.args ?? null)) as Json;
			const n = asks.indexOf(id) + 1;
			if (held.phase !== "held" || !tool) {
				this.isUncertain = true;
				answers.push({ n, ok: "null" });
				continue;
			}
			answers.push(await this.heldAnswer(n, { call: held, tool, args }));
		}
		return answers;
	}

	/** It was judged alone; of budgets, those that are held beside it and before it take their parts, too. */
	private async heldAnswer(n: number, { call, tool, args }: Omit<Parsed, "text">): Promise<Answer> {
		const request = policyRequest({ segment: this.segment, call, tool, args, answers: [] });
		const charged = chargesOf(this.segment, request, await this.charging(request, { call, tool }));
		const refusedBy = refusing(charged);
		const asks = charged.says.some(({ decision }) => decision.verdict === "ask") ? (["limit"] as const) : [];
		const sources = [...new Set([...(call.approval?.sources ?? []), ...asks])];
		const reasons = [call.verdict?.reason, ...charged.says.map(({ decision }) => decision.reason)];
		const reason = reasons.filter((one) => one !== undefined && one !== "").join("; ");
		const row: RehearsedCall = {
			call: call.id,
			tool: call.tool,
			version: tool.version,
			args,
			line: call.line,
			verdict: "ask",
			...(reason ? { reason } : {}),
			...(sources.length > 0 ? { sources } : {}),
			...(refusedBy.length > 0 ? { refusedBy } : {}),
		};
		return refusedBy.length > 0 ? this.denied(n, row) : this.simulated({ n, tool, args, row, wants: charged.wants });
	}

	/** What is known of the accounts that a call would take something of. */
	private async charging(request: PolicyRequest, { call, tool }: Pick<Parsed, "call" | "tool">): Promise<Charging> {
		const { segment, foreseen } = this;
		const timeoutMs = tool.timeoutMs ?? segment.readyOf(call.thread).limits.toolTimeoutMs;
		const around = aroundCall(segment, call);
		const charging = { around, exhausted: new Map<string, number>(), holds: [], timeoutMs, foreseen };
		const { wants } = chargesOf(segment, request, charging);
		return wants.length === 0 ? charging : { ...charging, exhausted: await shortOf(segment, wants, { foreseen }) };
	}

	/** How long a call takes nobody foresees. */
	private foresee(wants: readonly Wanted[]): void {
		for (const { account, amount, timeMs } of wants) {
			if (timeMs === undefined) this.foreseen.set(account, (this.foreseen.get(account) ?? 0) + amount);
		}
	}

	private denied(n: number, row: RehearsedCall): Answer {
		this.add(row);
		return { n, error: { name: "ToolDenied", message: `Denied by policy, not executed: ${row.reason ?? ""}` } };
	}

	/** What a call of the copy gets. */
	private async answer(ask: Ask): Promise<Answer> {
		const { segment, call: program } = this;
		const { n, line } = ask;
		const failed = (message: string): Answer => ({ n, error: { name: "ToolFailed", message } });
		const { args: asked, unreadable } = askedWith(segment, program, ask);
		const ordinal = nextOrdinal(segment.state) - 1 + this.calls;
		const about = { tool: ask.tool, parent: program.id, line, label: this.label, asked };
		const { thread } = program;
		const call = newCall({
			id: `${program.id}.${n}`,
			ordinal,
			ordinalOfAgent: thread.calls + this.calls,
			thread,
			...about,
		});
		const tool = toolFor({ segment, call });
		if (typeof tool === "string") return failed(tool);
		if (unreadable !== undefined) return failed(unreadable);
		let prepared: Json;
		try {
			prepared = await preparedArguments(segment, call);
		} catch (error) {
			segment.check();
			return failed(reasonOf(error));
		}
		const parsed = await canonicalArguments(tool, prepared, segment.parsingFor(call.thread));
		return parsed.ok ? this.judged(n, { call, tool, ...parsed }) : failed(parsed.message);
	}

	private async judged(n: number, { call, tool, args, text }: Parsed): Promise<Answer> {
		const { segment } = this;
		// A kill switch reaches it like every other decision.
		await segment.ports.standing.refresh();
		const request = policyRequest({ segment, call, tool, args: JSON.parse(text) as Json, answers: [] });
		const judging = { ...(await this.charging(request, { call, tool })), isAnswered: () => false };
		const { decision, wants, grants, sources, refusedBy } = await judgeCall(segment, request, judging);
		const { verdict, reason } = decision;
		// A grant allows calls of the run; a rehearsal uses none of it up.
		if (verdict === "allow" && grants.length === 0 && (tool.effect === "read" || isOwnTool(tool)))
			return this.read(n, { call, tool, text, wants });
		const asking = sources.length > 0 ? { sources } : {};
		const { name, version } = tool;
		const row: RehearsedCall = {
			tool: name,
			version,
			args,
			line: call.line,
			verdict,
			...(reason ? { reason } : {}),
			...asking,
			...(refusedBy.length > 0 ? { refusedBy } : {}),
		};
		return verdict === "deny" ? this.denied(n, row) : this.simulated({ n, tool, args, row, wants });
	}

	/** A real read, counted like any other. */
	private async read(n: number, { call, tool, text, wants }: Reading): Promise<Answer> {
		const { segment } = this;
		const holder = rehearsalHolder(this.call.id);
		const short = wants.length > 0 && (await segment.reserve(holder, wants, { instead: true }));
		if (short) {
			this.isUncertain = true;
			return {
				n,
				error: { name: "ToolDenied", message: `Denied by policy, not executed: ${short.account} is used up` },
			};
		}
		this.reads++;
		this.foresee(wants);
		const began = segment.ports.clock.now();
		const keep = (_: Segment, __: string, ok: Json) => ({ ok });
		let done: DoneInRun | undefined;
		const onDone = (did: DoneInRun) => (done = did);
		const outcome: Outcome = await attempt(segment, { ...call, holds: wants }, { tool, text, keep, onDone });
		const ms = segment.ports.clock.now() - began;
		if (wants.length > 0) {
			await segment.settle(
				wants.map((want) => ({ kind: "settle", account: want.account, holder, amount: spentOf(want, outcome, ms) })),
			);
		}
		segment.check();
		const label = tool.inRun ? done?.label : labelOf(tool.labels, call.id);
		if (tool.effect === "read") this.label = joinLabels(this.label, label);
		if ("ok" in outcome) return { n, ok: JSON.stringify(outcome.ok) };
		const message = "failed" in outcome ? outcome.failed : "unknown" in outcome ? outcome.unknown : "it was not made";
		return { n, error: { name: "ToolFailed", message } };
	}

	private async simulated({ n, tool, args, row, wants }: Simulating): Promise<Answer> {
		const made = await this.simulate(tool, args);
		this.add("fails" in made ? { ...row, fails: made.fails } : row);
		if ("fails" in made) return { n, error: { name: "ToolFailed", message: made.fails } };
		this.foresee(wants);
		this.isUncertain ||= made.isMadeUp;
		return { n, ok: JSON.stringify(made.value) };
	}

	private add(row: RehearsedCall): void {
		this.chars += canonicalJson(row.args).length;
		this.rows.push(this.isUncertain ? { ...row, uncertain: true } : row);
	}

	/** By the tool's own word, else from its output schema. */
	private async simulate(tool: Tool, args: Json): Promise<Simulated> {
		const parsing = this.segment.parsingFor(this.call.thread);
		const own = tool.simulate;
		if (!own) return { value: await this.madeUp(tool), isMadeUp: true };
		try {
			const value: unknown = await inTime(
				Promise.resolve(own(JSON.parse(canonicalJson(args)))),
				`simulate of ${tool.name}`,
				parsing.patience,
			);
			const checked = tool.output
				? await validate(tool.output, value, parsing.patience)
				: ({ ok: true, value } as const);
			if (!checked.ok) return { fails: `simulate of ${tool.name} does not fit its output schema: ${checked.issues}` };
			const text = JSON.stringify(checked.value ?? null);
			const { valueBytesMax } = limitsOf(this.segment, this.call);
			if (Buffer.byteLength(text) >= valueBytesMax) return { fails: `simulate of ${tool.name} returns too much` };
			return { value: JSON.parse(text) as Json, isMadeUp: false };
		} catch (error) {
			this.segment.check();
			return { fails: reasonOf(error).slice(0, fixedLimits.errorCharsMax) || "it would fail" };
		}
	}

	private async madeUp({ output, outputSchema }: Tool): Promise<Json> {
		const value = outputSchema && sampleOf(outputSchema);
		if (value === undefined || !output) return null;
		const checked = await validate(output, value, this.segment.parsingFor(this.call.thread).patience);
		return checked.ok ? value : null;
	}
}

type Simulated = { readonly value: Json; readonly isMadeUp: boolean } | { readonly fails: string };

/** Those that the run itself gives to programs look at nothing but declarations. */
function isOwnTool({ name }: Tool): boolean {
	return name.startsWith("$");
}

interface Parsed {
	readonly call: CallState;
	readonly tool: Tool;
	readonly args: Json;
	/** Of the arguments, canonical. */
	readonly text: string;
}

interface Reading {
	readonly call: CallState;
	readonly tool: Tool;
	readonly text: string;
	/** What it holds of budgets while it is made. */
	readonly wants: readonly Wanted[];
}

interface Simulating {
	readonly n: number;
	readonly tool: Tool;
	readonly args: Json;
	readonly row: RehearsedCall;
	/** What it would take of budgets. */
	readonly wants: readonly Wanted[];
}
