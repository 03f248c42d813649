/** Plays one act: each step is an ordinary command of this tool in a process of its own, until the run is over. */
import type { Harness } from "../../run/harness.ts";
import type { OpenApproval } from "../../run/inbox.ts";
import type { Store } from "../../spec/store.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { carriedWords } from "../command-line.ts";
import { runs } from "../commands/runs.ts";
import { openInbox, using } from "../open-harness.ts";
import { type DemoDecision, decideHeld } from "./decision.ts";
import { type DemoProcess, isAlive, runProcess } from "./demo-process.ts";
import { stepLines } from "./demo-text.ts";
import type { DemoFacts, Pause } from "./proof.ts";

/** A model that is not scripted may be held more than once. */
const waitsMax = 20;

export interface Act {
	readonly run: string;
	/** The shop's database. */
	readonly shop: string;
	/** What begins it, as words of the command line. */
	readonly begin: readonly ["run", ...string[]];
	readonly titles: { readonly begin: string; readonly goOn: string };
	/** What the customer says where an agent asks. */
	readonly reply: string;
}

export interface Played extends Pick<DemoFacts, "processes" | "pauses"> {
	/** `waits`: somebody left the answer for later. `failed`: one of the processes did. */
	readonly ended: "completed" | "waits" | "failed";
}

type Start = (title: string, args: readonly [DemoProcess["does"], ...string[]]) => Promise<DemoProcess>;

export async function playAct(invocation: Invocation, act: Act): Promise<Played> {
	const { terminal } = invocation;
	const carried = carriedWords(invocation);
	const processes: DemoProcess[] = [];
	const pauses: Pause[] = [];
	let step = 0;
	const start: Start = async (title, args) => {
		step += 1;
		const heading = (pid: number): void => terminal.print(...stepLines(invocation, { step, title, pid }));
		const ended = await runProcess(invocation, [...args, ...carried], heading);
		processes.push(ended);
		return ended;
	};
	let last = await start(act.titles.begin, act.begin);
	for (let waits = 0; last.exitCode === exitCodes.waiting && waits < waitsMax; waits++) {
		const { pause, approval, isAsked } = await using(await openInbox(invocation), (opened) =>
			lookAround({ ...opened, run: act.run, pid: last.pid }),
		);
		pauses.push(pause);
		step += 1;
		terminal.print(...stepLines(invocation, { step, title: "Nothing runs: the run is a row", pause }));
		if (!terminal.isJson) await runs(invocation);
		if (!approval && !isAsked) break;
		const answered = approval ? await decide(invocation, { approval, act, start }) : await reply(act, start);
		if (answered === "later") return { ended: "waits", processes, pauses };
		last = answered;
		if (last.exitCode !== exitCodes.done) break;
		last = await start(act.titles.goOn, ["resume", act.run]);
	}
	return { ended: last.exitCode === exitCodes.done ? "completed" : "failed", processes, pauses };
}

interface Deciding {
	readonly approval: OpenApproval;
	readonly act: Act;
	readonly start: Start;
}

async function decide(invocation: Invocation, { approval, act, start }: Deciding): Promise<DemoProcess | "later"> {
	const decision = await decideHeld(invocation, approval, act.shop);
	if (decision.answer === "later") return "later";
	return start(decisionTitle(invocation, decision), answerWords(decision, approval));
}

/** Nobody writes to a shop here: what the customer says was written beforehand. */
function reply({ run, reply: said }: Act, start: Start): Promise<DemoProcess> {
	return start(`The simulated customer replies: "${said}"`, ["tell", run, said]);
}

interface Looking {
	readonly harness: Harness;
	readonly store: Store;
	readonly run: string;
	readonly pid: number;
}

async function lookAround({ harness, store, run, pid }: Looking) {
	const row = (await store.runs({ limit: 1_000 })).find((one) => one.run === run);
	const pause: Pause = {
		pid,
		isGone: !isAlive(pid),
		status: row?.status ?? "unknown",
		isLeased: row?.lease !== undefined,
	};
	const [approval] = await harness.approvals({ run });
	const { state } = await harness.show(run);
	return { pause, approval, isAsked: state.conversation.team?.asked !== undefined };
}

function decisionTitle({ terminal, options }: Invocation, { answer }: DemoDecision): string {
	const does = answer === "deny" ? "denies" : "approves";
	if (options["answer"] !== undefined) return `A person would decide here; --answer ${does}`;
	if (terminal.isInteractive) return "A person decides";
	return `A person would decide here; without a terminal the demo ${does}`;
}

function answerWords(
	decision: Exclude<DemoDecision, { answer: "later" }>,
	{ approval }: OpenApproval,
): [DemoProcess["does"], ...string[]] {
	if (decision.answer === "deny") return ["deny", approval, "--reason", decision.reason];
	return ["approve", approval, ...(decision.args ? ["--args", JSON.stringify(decision.args)] : [])];
}
