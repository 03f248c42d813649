/** The second act: a team of three agents on one ticket. */
import { newId } from "../../kit/id.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { commandLine, shownPath } from "../command-line.ts";
import { demoTeamConfigName } from "../load-config.ts";
import { openInbox, using } from "../open-harness.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { wrap } from "../render/text-width.ts";
import { type ActEnd, unfinished } from "./act-end.ts";
import { prepareFolder } from "./demo-folder.ts";
import { proofLines } from "./demo-text.ts";
import { deskReply, deskRequest } from "./desk-story.ts";
import { replacementsOf } from "./desk-tools.ts";
import { type Act, type Played, playAct } from "./play.ts";
import { readShop } from "./shop-records.ts";
import { proveTeam } from "./team-proof.ts";

/** Which acts are played. With a model that is not scripted nobody knows who hands on to whom. Errors: `usage.invalid`. */
export function givenActs(invocation: Invocation): ReadonlySet<number> {
	isAutonomousWanted(invocation);
	const given = textOption(invocation, "act");
	if (given === undefined) return new Set(textOption(invocation, "model") === undefined ? [1, 2] : [1]);
	if (given !== "1" && given !== "2") throw usageInvalid("--act is 1 or 2");
	if (given === "2" && textOption(invocation, "model") !== undefined)
		throw usageInvalid(
			"The second act is scripted: it takes no --model",
			"`holdpoint chat` talks with a team of yours.",
		);
	return new Set([Number(given)]);
}

/** Errors: `usage.invalid`. */
function isAutonomousWanted(invocation: Invocation): boolean {
	const given = textOption(invocation, "interaction") ?? "human-in-the-loop";
	if (given === "autonomous" || given === "human-in-the-loop") return given === "autonomous";
	throw usageInvalid("--interaction is human-in-the-loop or autonomous");
}

export async function playTeam(
	invocation: Invocation,
	{ folder, keepsRuns }: { readonly folder: string; readonly keepsRuns: boolean },
): Promise<ActEnd> {
	const { host, terminal, options } = invocation;
	const { store, shop } = prepareFolder(folder, { keepsRuns });
	const place = { store: shownPath(store, host.cwd), config: demoTeamConfigName };
	const inside: Invocation = { ...invocation, options: { ...options, ...place } };
	const isAutonomous = isAutonomousWanted(invocation);
	const run = newId("run", Date.now());
	terminal.print(...teamOpening(invocation, isAutonomous));
	const act: Act = {
		run,
		shop,
		begin: ["run", deskRequest, "--agent", isAutonomous ? "desk_alone" : "desk", "--run-id", run],
		titles: { begin: "The team works", goOn: "The team goes on" },
		reply: deskReply,
	};
	const played = await playAct(inside, act);
	return unfinished(inside, run, played) ?? conclude(inside, act, { ...played, isAutonomous });
}

function teamOpening({ terminal }: Invocation, isAutonomous: boolean): string[] {
	const { style, width } = terminal;
	const asks = isAutonomous
		? "Nobody answers its question, so that it goes on by itself (--interaction autonomous)."
		: "It asks the customer, who is simulated: her reply was written beforehand.";
	const about = [
		"The same shop, another ticket, and three agents: a coordinator, one for refunds, one for shipping. They hand the work",
		`on to each other in one run with one journal. A refund is held for a person; shipping has a question. ${asks}`,
		"The three models are scripted, the carrier is a table of the database; everything else is real.",
	].join(" ");
	return ["", style.bold("Second act: a team"), "", ...wrap(about, width)];
}

async function conclude(
	invocation: Invocation,
	{ run, shop: path }: Act,
	played: Played & { readonly isAutonomous: boolean },
): Promise<ActEnd> {
	const { terminal } = invocation;
	const { style, width } = terminal;
	const view = await using(await openInbox(invocation), ({ harness }) => harness.show(run));
	const shop = readShop(path);
	const facts = { run, ...played, events: view.events, ownPid: process.pid, shop, replacements: replacementsOf(path) };
	const checks = proveTeam(facts);
	const isProven = checks.every(({ ok }) => ok);
	const verdict = isProven
		? "Proven: three agents, one journal, each process apart from the others, and everything happened once."
		: "Not proven: see the marks above.";
	terminal.print(
		...proofLines(invocation, checks, []),
		"",
		...wrap(verdict, width).map(isProven ? style.green : style.red),
		"",
		"Look around, or talk to the team yourself:",
		`  ${commandLine(invocation, "show", run)}`,
		`  ${commandLine(invocation, "team", "desk")}`,
		`  ${commandLine(invocation, "chat", "desk")}`,
	);
	const processes = played.processes.map(({ does, pid, exitCode }) => ({ does, pid, exitCode }));
	const { status, text } = view.state;
	const value = {
		ok: isProven,
		run,
		status,
		text,
		processes,
		checks,
		refunds: shop.refunds,
		replacements: facts.replacements,
	};
	return { code: isProven ? exitCodes.done : exitCodes.failed, value };
}
