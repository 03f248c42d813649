/** What holds of every journal, however its run was interrupted, told, cancelled or limited. Knows nothing of the product's own fold. */
import type { Outcome, RunEvent } from "holdpoint";

/** The event of this type. */
export type Of<Type extends RunEvent["type"]> = Extract<RunEvent, { readonly type: Type }>;

/** A call, as its events tell it. */
interface Call {
	readonly id: string;
	readonly tool: string;
	/** The program that asked, where one did. */
	readonly parent: string | undefined;
	attempts: number;
	/** What the policy said last. A start uses it up. */
	decision: Of<"call.decided"> | undefined;
	digest: string | undefined;
	/** Digest of what a person has allowed. */
	approved: string | undefined;
	isDenied: boolean;
	/** Its question that nobody has answered. */
	approval: string | undefined;
	isProgram: boolean;
	/** It does nothing of its own: a handoff, or a task that was put to an agent. */
	isRouting: boolean;
	/** Of a program: the calls whose outcomes it was given. */
	readonly delivered: Set<string>;
	outcome: Outcome | undefined;
}

/** Nothing of this begins once somebody has asked for the run's end. */
const beginnings: ReadonlySet<string> = new Set([
	"call.started",
	"program.started",
	"program.restored",
	"approval.requested",
]);

/** Reads a journal from its first event on, and notes each law that it breaks. */
class JournalReader {
	readonly problems: string[] = [];
	private readonly harmless: ReadonlySet<string>;
	private readonly calls = new Map<string, Call>();
	private readonly approvals = new Set<string>();
	private readonly signals = new Set<string>();
	private directCalls = 0;
	private isCancelled = false;
	private end: Of<"run.finished"> | undefined;

	constructor(harmless: ReadonlySet<string>) {
		this.harmless = harmless;
	}

	read(event: RunEvent, at: number): void {
		if ((event.type === "run.started") !== (at === 0)) this.problem(`event ${at} is ${event.type}`);
		if (this.end) this.problem(`${event.type} after the end`);
		if (this.isCancelled && beginnings.has(event.type)) this.problem(`${event.type} after the cancellation`);
		if ("signal" in event) this.useSignal(event.signal);
		switch (event.type) {
			case "model.answered":
				return this.readAnswer(event);
			case "call.asked":
				return this.add(event.call, event.tool, event.parent);
			case "call.decided":
				return this.readDecision(event);
			case "call.started":
				return this.readStart(event);
			case "call.finished":
			case "call.settled":
				return this.readOutcome(event);
			case "approval.requested":
			case "approval.resolved":
			case "approval.closed":
				return this.readApproval(event);
			case "program.started":
			case "program.delivered":
			case "program.suspended":
			case "program.restored":
				return this.readProgram(event);
			case "cancel.requested":
				this.isCancelled = true;
				return;
			case "agent.started":
				return this.readAgentStart(event);
			case "run.finished":
				return this.readEnd(event);
		}
	}

	private problem(text: string): void {
		this.problems.push(text);
	}

	/** A signal that was delivered twice must not count twice. */
	private useSignal(signal: string): void {
		if (this.signals.has(signal)) this.problem(`signal ${signal} is used twice`);
		this.signals.add(signal);
	}

	private readAnswer({ content }: Of<"model.answered">): void {
		for (const part of content) {
			if (part.type === "tool-call") this.add(`c${++this.directCalls}`, part.toolName, undefined);
		}
	}

	private add(id: string, tool: string, parent: string | undefined): void {
		if (this.calls.has(id)) this.problem(`${id} is asked twice`);
		if (parent !== undefined && !this.isRunning(parent))
			this.problem(`${id} is asked by ${parent}, which does not run`);
		this.calls.set(id, {
			id,
			tool,
			parent,
			attempts: 0,
			decision: undefined,
			digest: undefined,
			approved: undefined,
			isDenied: false,
			approval: undefined,
			isProgram: false,
			isRouting: false,
			delivered: new Set(),
			outcome: undefined,
		});
	}

	private isRunning(program: string): boolean {
		const call = this.calls.get(program);
		return call?.isProgram === true && call.outcome === undefined;
	}

	/** The call that an event is about. There, nothing is decided, asked or started any more once it has an outcome. */
	private open({ type, call: id }: { readonly type: string; readonly call: string }): Call | undefined {
		const call = this.calls.get(id);
		if (!call) this.problem(`${type} of ${id}, which nobody asked for`);
		else if (call.outcome) this.problem(`${type} of ${id}, which has its outcome`);
		return call;
	}

	private readDecision(event: Of<"call.decided">): void {
		const call = this.open(event);
		if (!call) return;
		call.decision = event;
		call.digest = event.digest;
	}

	private readStart(event: Of<"call.started">): void {
		const call = this.open(event);
		if (!call) return;
		const { decision } = call;
		const isApproved = decision?.verdict === "ask" && call.approved === decision.digest && !call.isDenied;
		// Each attempt is decided anew (I4), and a yes is one to these arguments alone (I5).
		if (decision?.verdict !== "allow" && !isApproved) this.problem(`${call.id} is started, and nothing allows it`);
		if (call.approval !== undefined) this.problem(`${call.id} is started while it is held`);
		if (event.attempt !== call.attempts + 1) {
			this.problem(`attempt ${event.attempt} of ${call.id} comes after attempt ${call.attempts}`);
		}
		call.attempts = event.attempt;
		call.decision = undefined;
	}

	private readOutcome(event: Of<"call.finished" | "call.settled">): void {
		if (event.type === "call.settled") return this.readSettlement(event);
		const call = this.open(event);
		if (!call) return;
		const { outcome } = event;
		if (call.approval !== undefined) this.problem(`${call.id} is finished while it is held`);
		call.isRouting ||= event.handsTo !== undefined;
		const mayHaveHappened = call.attempts > 0 && !call.isProgram && !call.isRouting && !this.harmless.has(call.tool);
		if (mayHaveHappened && ("denied" in outcome || "cancelled" in outcome)) {
			this.problem(`${call.id} was started, and ends as ${Object.keys(outcome)[0]} (I7)`);
		}
		if (call.attempts === 0 && ("ok" in outcome || "blob" in outcome || "unknown" in outcome)) {
			this.problem(`${call.id} was never started, and ends as ${Object.keys(outcome)[0]}`);
		}
		call.outcome = outcome;
	}

	private readSettlement({ call: id, outcome }: Of<"call.settled">): void {
		const call = this.calls.get(id);
		if (!call?.outcome || !("unknown" in call.outcome)) this.problem(`${id} is settled, and was not unknown`);
		if (call) call.outcome = outcome;
	}

	private readApproval(event: Of<"approval.requested" | "approval.resolved" | "approval.closed">): void {
		const call = this.open(event);
		if (!call) return;
		if (event.type === "approval.requested") {
			if (this.approvals.has(event.approval)) this.problem(`${event.approval} is requested twice`);
			if (call.approval !== undefined) this.problem(`${call.id} is held twice`);
			this.approvals.add(event.approval);
			call.approval = event.approval;
			return;
		}
		if (call.approval !== event.approval) this.problem(`${event.type} of ${event.approval}, which is not open`);
		if (event.type === "approval.resolved" && event.open) return;
		call.approval = undefined;
		if (event.type === "approval.closed") return;
		if (event.answer === "deny") call.isDenied = true;
		else call.approved = event.answer === "edit" ? event.digest : call.digest;
	}

	private readProgram(event: Of<`program.${"started" | "delivered" | "suspended" | "restored"}`>): void {
		const program = this.open(event);
		if (!program) return;
		if (event.type === "program.started") {
			if (program.attempts === 0 || program.isProgram) this.problem(`${program.id} is not a program to start`);
			program.isProgram = true;
		}
		if (event.type !== "program.delivered") return;
		for (const id of event.answers) this.readDelivery(program, id);
	}

	/** A program is given each outcome once, and none that is not known. */
	private readDelivery(program: Call, id: string): void {
		const answer = this.calls.get(id);
		const isKnown = answer?.outcome !== undefined && !("unknown" in answer.outcome);
		if (answer?.parent !== program.id || !isKnown)
			this.problem(`${id} is delivered to ${program.id} without an outcome`);
		if (program.delivered.has(id)) this.problem(`${id} is delivered twice`);
		program.delivered.add(id);
	}

	private readAgentStart(event: Of<"agent.started">): void {
		const call = this.open(event);
		if (!call) return;
		if (call.attempts === 0) this.problem(`${call.id} is put to ${event.agent}, and was not started`);
		if (call.isRouting) this.problem(`${call.id} is put to an agent twice`);
		call.isRouting = true;
	}

	private readEnd(event: Of<"run.finished">): void {
		this.end = event;
		if ((event.status === "cancelled") !== this.isCancelled) this.problem(`it ends ${event.status}`);
		for (const { id, outcome, approval } of this.calls.values()) {
			if (!outcome) this.problem(`${id} has no outcome at the end`);
			else if ("unknown" in outcome && event.status !== "cancelled") this.problem(`nobody knows of ${id} at the end`);
			if (approval !== undefined) this.problem(`${id} is held at the end`);
		}
		if (event.status === "cancelled") this.readDone(event.done ?? []);
	}

	/** What a cancelled run tells that it did is all of what it did. */
	private readDone(done: NonNullable<Of<"run.finished">["done"]>): void {
		const told = done.map(({ call, outcome }) => `${call} ${outcome}`).sort();
		const did = [...this.calls.values()].flatMap(({ id, isProgram, isRouting, outcome }) => {
			if (isProgram || isRouting || !outcome) return [];
			return "unknown" in outcome ? [`${id} unknown`] : "ok" in outcome || "blob" in outcome ? [`${id} ok`] : [];
		});
		if (told.join() !== did.sort().join()) this.problem(`it tells that it did ${told}, and did ${did}`);
	}
}

/** The laws that this journal breaks, none where it is good. `harmless`: tools that change nothing. */
export function journalProblems(events: readonly RunEvent[], harmless: ReadonlySet<string>): string[] {
	const reader = new JournalReader(harmless);
	for (const [at, event] of events.entries()) reader.read(event, at);
	return reader.problems;
}
