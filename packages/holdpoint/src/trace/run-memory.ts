/** What a run's events say that spans of later events need: names, models, who asked for what. Of what was said only arguments, and only where they may be recorded. */
import type { RunEvent } from "../spec/events.ts";
import type { Json } from "../spec/json.ts";
import type { AnswerPart } from "../spec/model.ts";
import { argumentsText, jsonText, type KnownTalk } from "./said.ts";
import { placeOf, type Who } from "./who.ts";

export interface KnownCall {
	readonly id: string;
	/** Its name, where there is such a tool. */
	readonly tool: string;
	/** The program that made it. */
	readonly parent: string | undefined;
	/** The call inside of which the agent that made it works. */
	readonly in: string | undefined;
	/** Name of that agent, in a team. */
	readonly agent: string | undefined;
	/** The id under which the provider knows it. */
	readonly modelId: string | undefined;
	readonly line: number | undefined;
	/** Its arguments, where what was said may be recorded. */
	input: string | undefined;
	/** Who it is put to. */
	inside: Asked | undefined;
	decision: Decided | undefined;
	attempt: number;
}

interface Asked {
	readonly name: string;
	readonly isTeam: boolean;
}

export type Decided = Pick<Extract<RunEvent, { type: "call.decided" }>, "verdict" | "policy" | "reason"> & {
	/** When; of a segment before it does not matter, and is 0. */
	readonly at: number;
};

/** What a run that goes on has come to: what is over is not among it. */
export interface KnownRun {
	readonly asked: Asked;
	readonly session: string | undefined;
	/** Names of all tools that there were. */
	readonly tools: Iterable<string>;
	/** Calls that models themselves made. */
	readonly directCalls: number;
	/** Those that are open, and those inside of which they were made. */
	readonly calls: readonly KnownCall[];
	/** When each open one was asked for. Milliseconds since 1970. */
	readonly approvals: ReadonlyMap<string, number>;
	/** When each is due. Milliseconds since 1970. */
	readonly timers: ReadonlyMap<string, number>;
	/** What gave the last answer, as `provider/model`. */
	readonly models: readonly (readonly [who: Who, model: string])[];
	/** Empty where what was said is not recorded. */
	readonly talks: readonly KnownTalk[];
}

/** In place of a name that a model made up: it may hold what was said, and metrics would have a series for each. */
const unknownTool = "unknown";

export class RunMemory {
	asked: Asked = { name: "", isTeam: false };
	session: string | undefined;
	finished: Extract<RunEvent, { type: "run.finished" }> | undefined;
	readonly calls = new Map<string, KnownCall>();
	/** When it was asked for. */
	readonly approvals = new Map<string, number>();
	/** When each is due. */
	readonly timers = new Map<string, number>();
	private readonly models = new Map<string, string>();
	private readonly tools = new Set<string>();
	private directCalls = 0;
	private readonly keepsInput: boolean;

	/** `keepsInput`: what was said may be recorded. */
	constructor(keepsInput: boolean) {
		this.keepsInput = keepsInput;
	}

	/** What happened before, in place of its events. */
	know({ asked, session, tools, directCalls, calls, approvals, timers, models }: KnownRun): void {
		this.asked = asked;
		this.session = session;
		this.directCalls = directCalls;
		for (const tool of tools) this.tools.add(tool);
		for (const call of calls) this.add(call);
		for (const [approval, at] of approvals) this.approvals.set(approval, at);
		for (const [timer, dueAt] of timers) this.timers.set(timer, dueAt);
		for (const [who, model] of models) this.models.set(placeOf(who), model);
	}

	learn(event: RunEvent, at: number): void {
		switch (event.type) {
			case "run.started":
				this.asked = { name: event.agent.name, isTeam: event.team !== undefined };
				this.session = event.session?.id;
				return this.learnTools(event);
			case "run.resumed":
				return this.learnTools(event);
			case "model.answered":
				if (event.model !== undefined) this.models.set(placeOf(event), event.model);
				for (const part of event.content) this.learnPart(event, part);
				return;
			case "timer.set":
				this.timers.set(event.timer, event.dueAt);
				return;
			case "run.finished":
				this.finished = event;
				return;
			case "approval.requested":
				this.approvals.set(event.approval, at);
				return;
			default:
				this.learnOfCall(event, at);
		}
	}

	private learnTools({ tools }: { readonly tools?: { readonly [name: string]: string } }): void {
		for (const tool in tools) this.tools.add(tool);
	}

	private learnOfCall(event: RunEvent, at: number): void {
		if (event.type === "call.asked") {
			const { in: inside, agent } = this.calls.get(event.parent) ?? {};
			const { call: id, tool, parent, line } = event;
			this.add({ id, tool, parent, in: inside, agent, line, input: this.inputOf(event.args) });
			return;
		}
		const call = "call" in event && event.call !== undefined ? this.calls.get(event.call) : undefined;
		if (!call) return;
		if (event.type === "call.decided") {
			const { verdict, policy, reason } = event;
			call.decision = { verdict, policy, at, ...(reason === undefined ? {} : { reason }) };
			call.input = this.inputOf(event.args) ?? call.input;
		} else if (event.type === "call.started") call.attempt = event.attempt;
		else if (event.type === "agent.started") call.inside = { name: event.agent, isTeam: event.team !== undefined };
	}

	private learnPart(who: Who, part: AnswerPart): void {
		if (part.type !== "tool-call" || part.providerExecuted) return;
		const { toolName: tool, toolCallId: modelId } = part;
		const input = this.keepsInput ? argumentsText(part.input) : undefined;
		this.add({ id: `c${++this.directCalls}`, tool, in: who.in, agent: who.agent, modelId, input });
	}

	private inputOf(args: Json | undefined): string | undefined {
		return this.keepsInput && args !== undefined ? jsonText(args) : undefined;
	}

	private add(call: Pick<KnownCall, "id" | "tool"> & Partial<KnownCall>): void {
		this.calls.set(call.id, {
			parent: undefined,
			in: undefined,
			agent: undefined,
			modelId: undefined,
			input: undefined,
			line: undefined,
			inside: undefined,
			decision: undefined,
			attempt: 0,
			...call,
			tool: this.tools.has(call.tool) ? call.tool : unknownTool,
		});
	}

	/** What gave the last answer there: the provider's name as the AI SDK has it, and the model's. */
	modelOf(who: Who): { readonly provider: string; readonly modelId: string } {
		const model = this.models.get(placeOf(who)) ?? "unknown";
		const at = model.indexOf("/");
		return at < 0
			? { provider: model, modelId: model }
			: { provider: model.slice(0, at), modelId: model.slice(at + 1) };
	}

	/** Of the run, or of the call that it works inside of. */
	askedIn(inside: string | undefined): Asked {
		return inside === undefined ? this.asked : (this.calls.get(inside)?.inside ?? { name: "unknown", isTeam: false });
	}
}
