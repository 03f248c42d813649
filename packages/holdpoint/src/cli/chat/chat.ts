/**
 * A conversation with an agent or a team, on a session of runs. It owns nothing that is not in the store: whoever leaves
 * it, by whatever way, comes back to the same place.
 *
 * 1. What is said goes to the session, which delivers it once; what is decided is left as an answer, and the run judges.
 * 2. Nothing goes on by itself but what this conversation was asked for: a turn ends when the run waits.
 */
import type { OpenApproval } from "../../run/inbox.ts";
import { runAfter } from "../../run/next-run.ts";
import type { Approver } from "../../spec/approver.ts";
import { isHoldpointError } from "../../spec/errors.ts";
import type { RunResult, Wait } from "../../spec/result.ts";
import type { RunRow } from "../../spec/store.ts";
import { isTeam, type Participant } from "../../spec/team.ts";
import type { Watched } from "../advance.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { interruptSignal } from "../interrupt.ts";
import type { Opened } from "../open-harness.ts";
import { inlineText, proseText } from "../render/safe-text.ts";
import { twoColumns } from "../render/two-columns.ts";
import type { Voices } from "../render/voices.ts";
import { reportError } from "../report-error.ts";
import { cardsOf, waitLines, withoutSensitive } from "../show-result.ts";
import { shownRun } from "../shown-run.ts";
import type { ChatInput } from "./chat-input.ts";
import { chatView, type Talk } from "./chat-view.ts";
import { type ChatWord, chatHelp } from "./chat-word.ts";
import { isOpen } from "./find-conversation.ts";

export interface ChatParts extends Pick<Opened, "harness" | "store"> {
	readonly invocation: Invocation;
	readonly agent: Participant;
	readonly session: string;
	readonly by: Approver;
	readonly voices: Voices;
	readonly input: ChatInput;
}

export class Chat {
	private readonly parts: ChatParts;
	/** How the conversation's last run stands, as far as it was seen here, and as it is shown. */
	private result: RunResult | undefined;
	/** Approvals that were shown and not decided, or that others must answer, too. */
	private readonly aside = new Set<string>();
	private failed = false;
	private isInterrupted = false;

	constructor(parts: ChatParts) {
		this.parts = parts;
	}

	/** Until somebody leaves. Returns the exit code. */
	async hold(open: string | undefined): Promise<number> {
		if (open !== undefined) await this.goOn(open);
		while (!this.isInterrupted) {
			const held = await this.heldNow();
			if (held) this.showCard(held);
			const word = await this.parts.input.next({ held, label: this.label() });
			if (word === undefined || word.kind === "quit") break;
			await this.follow(word, held);
			if (this.failed && !this.parts.invocation.terminal.isInteractive) break;
		}
		await this.leave();
		if (this.isInterrupted) return exitCodes.interrupted;
		return this.failed ? exitCodes.failed : exitCodeOf(this.result);
	}

	private async follow(word: ChatWord, held: OpenApproval | undefined): Promise<void> {
		const { terminal } = this.parts.invocation;
		this.failed = false;
		switch (word.kind) {
			case "say":
				if (held) this.aside.add(held.approval);
				return this.say(word.text);
			case "approve":
			case "deny":
				return this.attempt(() => this.decide(word, held));
			case "later":
				if (held) this.aside.add(held.approval);
				return;
			case "look":
				this.aside.clear();
				return this.look();
			case "help":
				return terminal.print(...twoColumns(chatHelp, terminal.width));
			case "status":
				return this.showStatus();
			case "unclear":
				return terminal.note(word.why);
			case "quit":
				return;
		}
	}

	private async latest(): Promise<RunRow | undefined> {
		const { store, session } = this.parts;
		const [latest] = await store.runs({ session, limit: 1 });
		return latest;
	}

	/** Also after a failure, which left the run open. */
	private async look(): Promise<void> {
		const latest = await this.latest();
		if (latest && isOpen(latest)) await this.goOn(latest.run);
	}

	private async say(text: string): Promise<void> {
		const { harness, session, agent, by } = this.parts;
		const latest = await this.latest();
		const run = latest && isOpen(latest) ? latest.run : runAfter(session, latest?.run);
		await this.turn(run, (watched) => harness.session(session, agent).send(text, { principal: by.id, ...watched }));
	}

	private async goOn(run: string): Promise<void> {
		await this.turn(run, (watched) => this.parts.harness.resume(run, watched));
	}

	/** Shows what goes on until the run waits or is over. */
	private async turn(run: string, work: (watched: Watched) => Promise<RunResult>): Promise<void> {
		const { harness, invocation, voices } = this.parts;
		const { terminal } = invocation;
		const past = await this.pastOf(run);
		const talk: Talk = { run, past, voices, isEchoing: !terminal.isInteractive };
		const view = chatView(terminal, talk);
		const interrupt = interruptSignal();
		await this.attempt(async () => {
			try {
				const result = await work({ onEvent: view.onEvent, onDelta: view.onDelta, signal: interrupt.signal });
				this.result = await withoutSensitive(harness, result);
			} catch (error) {
				// It is kept as it is; how to come back is said when it is left.
				if (!interrupt.signal.aborted) throw error;
				this.isInterrupted = true;
			} finally {
				interrupt.done();
				view.close();
			}
		});
		if (!this.result || this.isInterrupted || this.failed) return;
		terminal.data({ type: "run.result", ...this.result });
		this.showWaits(this.result);
	}

	private async pastOf(run: string): Promise<Talk["past"]> {
		const { harness, store } = this.parts;
		const isThere = (await store.load(run, Number.MAX_SAFE_INTEGER)) !== undefined;
		return isThere ? (await shownRun(harness, run)).events : [];
	}

	/** What goes wrong is said, and the conversation goes on. */
	private async attempt(work: () => Promise<void>): Promise<void> {
		const { terminal } = this.parts.invocation;
		try {
			await work();
		} catch (error) {
			if (!isHoldpointError(error)) throw error;
			this.failed = true;
			reportError(error, terminal);
		}
	}

	/** How a run stands, besides what is said in the prompt or on a card. */
	private showWaits(result: RunResult): void {
		const { invocation, agent } = this.parts;
		const { terminal } = invocation;
		const { style } = terminal;
		if (result.status === "completed") {
			if (isTeam(agent))
				terminal.print(style.dim(`✓ ${agent.name} is done. What you say next begins anew, and knows all this.`));
			return;
		}
		if (result.status !== "waiting") {
			this.failed = result.status === "failed";
			return;
		}
		for (const wait of result.waits) {
			if (wait.kind === "unknown" || wait.kind === "timer") terminal.print(...waitLines(invocation, result.run, wait));
		}
		if (result.waits.length === 0) terminal.print("Another process goes on with it; /resume looks again.");
	}

	private async heldNow(): Promise<OpenApproval | undefined> {
		const { harness, by } = this.parts;
		if (this.result?.status !== "waiting") return undefined;
		const open = await harness.approvals({ run: this.result.run });
		const isMine = ({ id }: { readonly id: string }): boolean => id === by.id;
		return open.find(
			({ approval, answeredBy, unread }) =>
				!this.aside.has(approval) && !answeredBy.some(isMine) && unread.length === 0,
		);
	}

	private showCard(held: OpenApproval): void {
		const { invocation } = this.parts;
		const rehearse = commandLine(invocation, "rehearse", held.approval);
		const typed = { approve: "/approve", deny: "/deny <reason>", resume: "/resume", rehearse };
		for (const card of cardsOf(invocation, [held], invocation.terminal.isInteractive ? undefined : typed)) {
			invocation.terminal.print("", ...card);
		}
	}

	private async decide(
		word: Extract<ChatWord, { kind: "approve" | "deny" }>,
		held: OpenApproval | undefined,
	): Promise<void> {
		const { harness, invocation, by } = this.parts;
		const { terminal } = invocation;
		const approval = word.approval ?? held?.approval;
		if (approval === undefined) return terminal.note("Nothing is held here that is not decided. /status says more.");
		const shown = held?.approval.startsWith(approval) ? held : undefined;
		const about = { by, ...(shown ? { digest: shown.digest } : {}) };
		const left =
			word.kind === "deny"
				? await harness.deny(approval, { ...about, reason: word.reason })
				: await harness.approve(approval, { ...about, ...(word.args === undefined ? {} : { args: word.args }) });
		const answer = word.kind === "deny" ? "deny" : word.args === undefined ? "approve" : "edit";
		this.aside.add(left.approval);
		terminal.data({ type: "approval.answered", ...left, answer, by });
		// Several calls may be held: the run goes on when each of them was shown.
		if (left.run === this.result?.run && !(await this.heldNow())) await this.goOn(left.run);
	}

	/** Whom the next words reach. */
	private label(): string {
		const waits = this.waits();
		const user = waits.find(({ kind }) => kind === "user");
		const to = user?.kind === "user" ? `you, to ${inlineText(user.agent, 40)}` : "you";
		const [held] = waits.flatMap((wait) => (wait.kind === "approval" ? inlineText(wait.tool, 40) : []));
		// What was put aside is not asked about again by itself.
		return held === undefined ? to : `${to} (${held} is held; an empty line shows it again)`;
	}

	private waits(): readonly Wait[] {
		return this.result?.status === "waiting" ? this.result.waits : [];
	}

	private showStatus(): void {
		const { invocation, session, agent } = this.parts;
		const { terminal } = invocation;
		const { run, status = "nothing was said yet" } = this.result ?? {};
		const usage = this.result?.usage;
		const waits = this.waits().map(waitText);
		terminal.data({ type: "chat.status", session, agent: agent.name, run, status, waits: this.waits() });
		terminal.print(
			`  conversation  ${inlineText(session, 200)}, with ${agent.name}`,
			`  last run      ${run === undefined ? status : `${run}, ${status}`}`,
			...waits.map((text, at) => `  ${at === 0 ? "waits for     " : "              "}${text}`),
			...(usage ? [`  tokens        ${usage.inputTokens} in, ${usage.outputTokens} out`] : []),
			...(run === undefined ? [] : [`  all of it     ${commandLine(invocation, "show", run)}`]),
		);
	}

	private async leave(): Promise<void> {
		const { invocation, session, agent } = this.parts;
		const { terminal } = invocation;
		const back = commandLine(invocation, "chat", agent.name, "--session", session);
		const { run, status } = (await this.latest()) ?? {};
		terminal.data({ type: "chat.left", session, agent: agent.name, run, status });
		terminal.print("", run === undefined ? "Nothing was said." : `The conversation is kept. Come back with: ${back}`);
	}
}

function waitText(wait: Wait): string {
	switch (wait.kind) {
		case "approval":
			return `${wait.approval}: ${inlineText(wait.tool, 60)}, asked for by ${inlineText(wait.agent, 60)}`;
		case "unknown":
			return `somebody who settles ${wait.call}: ${inlineText(wait.tool, 60)}`;
		case "timer":
			return `${new Date(wait.dueAt).toISOString()}: ${proseText(wait.why, 200)}`;
		case "user":
			return `your reply to ${inlineText(wait.agent, 60)}`;
	}
}

/** A conversation in which it is the user's turn is as it should be. */
function exitCodeOf(result: RunResult | undefined): number {
	if (result?.status === "failed") return exitCodes.failed;
	if (result?.status !== "waiting") return exitCodes.done;
	return result.waits.length > 0 && result.waits.every(({ kind }) => kind === "user")
		? exitCodes.done
		: exitCodes.waiting;
}
