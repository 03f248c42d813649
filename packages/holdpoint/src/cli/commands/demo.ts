/**
 * The whole story by itself, in two acts: one agent whose program is held in its middle, and a team that hands on. Each
 * process is an ordinary command of this tool; this one only starts them, watches, and holds what was claimed against
 * what is there.
 */
import { join, resolve } from "node:path";
import { newId } from "../../kit/id.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { shownPath } from "../command-line.ts";
import { type ActEnd, unfinished } from "../demo/act-end.ts";
import { givenAnswer } from "../demo/decision.ts";
import { prepareFolder } from "../demo/demo-folder.ts";
import { closingLines, openingLines, proofLines } from "../demo/demo-text.ts";
import { type Act, type Played, playAct } from "../demo/play.ts";
import { excerptOf, proveDemo } from "../demo/proof.ts";
import { readShop } from "../demo/shop-records.ts";
import { shopRequest } from "../demo/shop-story.ts";
import { givenActs, playTeam } from "../demo/team-act.ts";
import { demoConfigName } from "../load-config.ts";
import { openInbox, using } from "../open-harness.ts";

export async function demo(invocation: Invocation): Promise<number> {
	givenAnswer(invocation);
	const acts = givenActs(invocation);
	const { host, terminal, options } = invocation;
	const folder = resolve(host.cwd, textOption(invocation, "folder") ?? ".holdpoint/demo");
	const keepsRuns = options["keep"] !== undefined;
	const first = acts.has(1) ? await playFirst(invocation, { folder, keepsRuns }) : { code: exitCodes.done, value: {} };
	if (first.code !== exitCodes.done || !acts.has(2)) {
		terminal.data(first.value);
		return first.code;
	}
	const team = await playTeam(invocation, { folder: join(folder, "team"), keepsRuns });
	terminal.data({ ...first.value, team: team.value });
	return team.code;
}

async function playFirst(
	invocation: Invocation,
	{ folder, keepsRuns }: { readonly folder: string; readonly keepsRuns: boolean },
): Promise<ActEnd> {
	const { host, terminal, options } = invocation;
	const { store, shop } = prepareFolder(folder, { keepsRuns });
	const place = { store: shownPath(store, host.cwd), config: demoConfigName };
	// What is printed and started from here on is about the demo's store.
	const inside: Invocation = { ...invocation, options: { ...options, ...place } };
	const run = newId("run", Date.now());
	terminal.print(...openingLines(inside, readShop(shop)));
	const act: Act = {
		run,
		shop,
		begin: ["run", shopRequest, "--run-id", run],
		titles: { begin: "The agent works", goOn: "The program goes on, exactly there" },
		reply: "",
	};
	const played = await playAct(inside, act);
	return unfinished(inside, run, played) ?? conclude(inside, act, played);
}

async function conclude(invocation: Invocation, { run, shop: path }: Act, played: Played): Promise<ActEnd> {
	const { terminal } = invocation;
	const view = await using(await openInbox(invocation), ({ harness }) => harness.show(run));
	const shop = readShop(path);
	const checks = proveDemo({ run, ...played, events: view.events, ownPid: process.pid, shop });
	const journal = excerptOf(view.events);
	const isProven = checks.every((check) => check.ok);
	const processes = played.processes.map(({ does, pid, exitCode }) => ({ does, pid, exitCode }));
	terminal.print(...proofLines(invocation, checks, journal), ...closingLines(invocation, { run, isProven, processes }));
	const { status, text } = view.state;
	const value = { ok: isProven, run, status, text, processes, checks, refunds: shop.refunds, journal };
	return { code: isProven ? exitCodes.done : exitCodes.failed, value };
}
