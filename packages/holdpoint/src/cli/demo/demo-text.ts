/** What the demo says around the output of its processes. */
import type { Invocation } from "../command.ts";
import { textOption } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { byteSize } from "../render/duration.ts";
import { inlineText } from "../render/safe-text.ts";
import { clip, padEnd, widthOf, wrap } from "../render/text-width.ts";
import type { DemoProcess } from "./demo-process.ts";
import type { Check, Pause, StoredEvent } from "./proof.ts";
import type { ShopRecords } from "./shop-records.ts";

export function openingLines(invocation: Invocation, shop: ShopRecords): string[] {
	const { style, width } = invocation.terminal;
	const model = textOption(invocation, "model");
	const about = [
		"A customer writes to a shop. Its support agent answers by writing one program; in the middle of that program is a",
		"refund that a person must allow. You see the program stop there, its process end, and another process go on",
		"exactly there.",
	].join(" ");
	const honest = model
		? `The model is ${inlineText(model, 100)}. What it writes may differ each time; the proof looks at what it did.`
		: [
				"The model is scripted: its words and its program were written beforehand, so that this needs no key and no",
				"network. Everything else is real: the sandbox that runs the program, the policy, the separate processes, and",
				`the shop's database with ${shop.orders.toLocaleString("en-US")} generated orders.`,
			].join(" ");
	return [style.bold("Holdpoint demo"), "", ...wrap(about, width), "", ...wrap(honest, width)];
}

export interface Step {
	readonly step: number;
	readonly title: string;
	/** The process that does it. */
	readonly pid?: number;
	/** Or what is seen while there is none. */
	readonly pause?: Pause;
}

export function stepLines({ terminal, options }: Invocation, { step, title, pid, pause }: Step): string[] {
	const { style, width } = terminal;
	const right = pid === undefined ? "" : `process ${pid}`;
	// The last line of a long title has the rule and the process, where there is room for them.
	const titles = wrap(`${step} · ${title}`, width - (right === "" ? 0 : right.length + 6));
	const left = `${titles.pop()} `;
	const line = "─".repeat(Math.max(3, width - widthOf(left) - widthOf(right) - 2));
	const last = `${style.bold(style.cyan(left))}${style.dim(`${line} ${right}`.trimEnd())}`;
	const head = [...titles.map((text) => style.bold(style.cyan(text))), last];
	if (!pause) return ["", ...head];
	const gone = pause.isGone ? "is gone" : "is still there";
	const lease = pause.isLeased ? "somebody holds its lease" : "nobody holds its lease";
	const text = `Process ${pause.pid} ${gone}. The run is ${pause.status} in ${String(options["store"])}; ${lease}.`;
	return ["", ...head, ...wrap(text, width)];
}

export function proofLines(
	{ terminal }: Invocation,
	checks: readonly Check[],
	journal: readonly StoredEvent[],
): string[] {
	const { style, width } = terminal;
	const line = "─".repeat(Math.max(3, width - 7));
	const proven = checks.flatMap(({ ok, says }) => {
		const [first = "", ...rest] = wrap(says, width - 2);
		return [`${ok ? style.green("✓") : style.red("✗")} ${first}`, ...rest.map((text) => `  ${text}`)];
	});
	const excerpt = journal.map(
		(entry) => `  ${style.dim(padEnd(`entry ${entry.seq}`, 10))} ${clip(eventText(entry), width - 14)}`,
	);
	return [
		"",
		`${style.bold(style.cyan("Proof "))}${style.dim(line)}`,
		...proven,
		...(excerpt.length === 0 ? [] : ["", "The journal around the hold:", ...excerpt]),
	];
}

function eventText({ event }: StoredEvent): string {
	const { type } = event;
	const call = "call" in event ? ` ${event.call}` : "";
	switch (event.type) {
		case "approval.requested":
			return `${type}${call} ${event.approval}`;
		case "approval.resolved":
			return `${type}${call} ${event.answer} by ${inlineText(`${event.by.id} (${event.by.via})`, 80)}`;
		case "program.suspended":
			return `${type}${call} ${event.snapshot ? `snapshot of ${byteSize(event.snapshot.bytes)}` : "no snapshot"}`;
		case "program.restored":
			return `${type}${call} from ${event.from}`;
		case "call.decided":
			return `${type}${call} ${event.verdict}`;
		case "call.started":
			return `${type}${call} attempt ${event.attempt}`;
		case "call.finished":
			return `${type}${call} ${Object.keys(event.outcome)[0]}`;
		default:
			return `${type}${call}`;
	}
}

/** What became of what was held. A model that is not scripted may be held more than once. */
function decided(processes: Closing["processes"]): string {
	const isApproved = processes.some(({ does }) => does === "approve");
	const isDenied = processes.some(({ does }) => does === "deny");
	if (!isDenied) return "done once";
	return isApproved ? "done once where it was approved, and not done where it was denied" : "denied, and not done";
}

export interface Closing {
	readonly run: string;
	readonly isProven: boolean;
	readonly processes: readonly Pick<DemoProcess, "does">[];
}

export function closingLines(invocation: Invocation, { run, isProven, processes }: Closing): string[] {
	const { host, terminal } = invocation;
	const { style, width } = terminal;
	const again = host.command === "npx holdpoint" ? "npm run demo --" : `${host.command} demo`;
	const verdict = isProven
		? `Proven: frozen in the middle, decided by somebody else, ${decided(processes)}.`
		: "Not proven: see the marks above.";
	return [
		"",
		...wrap(verdict, width).map(isProven ? style.green : style.red),
		"",
		"Look around:",
		`  ${commandLine(invocation, "show", run)}`,
		`  ${host.command} doctor`,
		...wrap("The same with a real model, and with one of your own machine:", width),
		`  OPENAI_API_KEY=… ${again} --model openai/<name>`,
		`  ${again} --model local/<name> --base-url http://127.0.0.1:8080/v1`,
	];
}
