/**
 * The whole story by itself: one process works until a call is held, one decides, one goes on. Each of them is an
 * ordinary command of this tool; this one only starts them, watches, and holds what was claimed against what is there.
 */
import { resolve } from "node:path";
import { newId } from "../../kit/id.ts";
import type { Harness } from "../../run/harness.ts";
import type { OpenApproval } from "../../run/inbox.ts";
import type { Store } from "../../spec/store.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { carriedWords, commandLine, shownPath } from "../command-line.ts";
import { type DemoDecision, decideHeld, givenAnswer } from "../demo/decision.ts";
import { prepareFolder } from "../demo/demo-folder.ts";
import { type DemoProcess, isAlive, runProcess } from "../demo/demo-process.ts";
import { closingLines, openingLines, proofLines, stepLines } from "../demo/demo-text.ts";
import { type DemoFacts, excerptOf, type Pause, proveDemo } from "../demo/proof.ts";
import { readShop } from "../demo/shop-records.ts";
import { shopRequest } from "../demo/shop-story.ts";
import { demoConfigName } from "../load-config.ts";
import { openInbox, using } from "../open-harness.ts";
import { runs } from "./runs.ts";

/** A model that is not scripted may be held more than once. */
const holdsMax = 20;

export async function demo(invocation: Invocation): Promise<number> {
	givenAnswer(invocation);
	const { host, terminal, options } = invocation;
	const folder = resolve(host.cwd, textOption(invocation, "folder") ?? ".holdpoint/demo");
	const { store, shop } = prepareFolder(folder, { keepsRuns: options["keep"] !== undefined });
	const place = { store: shownPath(store, host.cwd), config: demoConfigName };
	// What is printed and started from here on is about the demo's store.
	const inside: Invocation = { ...invocation, options: { ...options, ...place } };
	const run = newId("run", Date.now());
	terminal.print(...openingLines(inside, readShop(shop)));
	const played = await play(inside, { run, shop });
	const { processes } = played;
	if (played.ended === "waits") {
		const next = commandLine(inside, "resume", run);
		terminal.answer({ ok: false, run, waiting: true, processes }, () => [
			"",
			`The run waits for you. Answer it with the commands above; then: ${next}`,
		]);
		return exitCodes.waiting;
	}
	if (played.ended === "failed") {
		const last = processes.at(-1);
		terminal.answer({ ok: false, run, processes }, () => [
			"",
			`The demo stops: process ${last?.pid} ended with exit code ${last?.exitCode}; see above.`,
		]);
		return exitCodes.failed;
	}
	return conclude(inside, shop, { run, ...played });
}

interface Played extends Pick<DemoFacts, "processes" | "pauses"> {
	/** `waits`: somebody left the answer for later. `failed`: one of the processes did. */
	readonly ended: "completed" | "waits" | "failed";
}

async function play(invocation: Invocation, { run, shop }: { run: string; shop: string }): Promise<Played> {
	const { terminal } = invocation;
	const carried = carriedWords(invocation);
	const processes: DemoProcess[] = [];
	const pauses: Pause[] = [];
	let step = 0;
	const start = async (title: string, args: readonly [DemoProcess["does"], ...string[]]): Promise<DemoProcess> => {
		step += 1;
		const heading = (pid: number): void => terminal.print(...stepLines(invocation, { step, title, pid }));
		const ended = await runProcess(invocation, args, heading);
		processes.push(ended);
		return ended;
	};
	let last = await start("The agent works", ["run", shopRequest, "--run-id", run, ...carried]);
	for (let holds = 0; last.exitCode === exitCodes.waiting && holds < holdsMax; holds++) {
		const { pause, approval } = await using(await openInbox(invocation), ({ harness, store }) =>
			lookAround({ harness, store, run, pid: last.pid }),
		);
		pauses.push(pause);
		step += 1;
		terminal.print(...stepLines(invocation, { step, title: "Nothing runs: the run is a row", pause }));
		if (!terminal.isJson) await runs(invocation);
		if (!approval) break;
		const decision = await decideHeld(invocation, approval, shop);
		if (decision.answer === "later") return { ended: "waits", processes, pauses };
		last = await start(decisionTitle(invocation, decision), [...answerWords(decision, approval), ...carried]);
		if (last.exitCode !== exitCodes.done) break;
		last = await start("The program goes on, exactly there", ["resume", run, ...carried]);
	}
	return { ended: last.exitCode === exitCodes.done ? "completed" : "failed", processes, pauses };
}

async function lookAround({ harness, store, run, pid }: { harness: Harness; store: Store; run: string; pid: number }) {
	const row = (await store.runs({ limit: 1_000 })).find((one) => one.run === run);
	const pause: Pause = {
		pid,
		isGone: !isAlive(pid),
		status: row?.status ?? "unknown",
		isLeased: row?.lease !== undefined,
	};
	const [approval] = await harness.approvals({ run });
	return { pause, approval };
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

async function conclude(
	invocation: Invocation,
	shopPath: string,
	played: Pick<DemoFacts, "run" | "processes" | "pauses">,
): Promise<number> {
	const { terminal } = invocation;
	const { run } = played;
	const view = await using(await openInbox(invocation), ({ harness }) => harness.show(run));
	const shop = readShop(shopPath);
	const checks = proveDemo({ ...played, events: view.events, ownPid: process.pid, shop });
	const journal = excerptOf(view.events);
	const isProven = checks.every((check) => check.ok);
	const processes = played.processes.map(({ does, pid, exitCode }) => ({ does, pid, exitCode }));
	const value = {
		ok: isProven,
		run,
		status: view.state.status,
		text: view.state.text,
		processes,
		checks,
		refunds: shop.refunds,
		journal,
	};
	terminal.answer(value, () => [
		...proofLines(invocation, checks, journal),
		...closingLines(invocation, { run, isProven, processes }),
	]);
	return isProven ? exitCodes.done : exitCodes.failed;
}
