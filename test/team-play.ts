/** Plays a team's run in processes that die where they are told to, with a person who answers whatever it waits for. */
import {
	defineTool,
	type HarnessOptions,
	isHoldpointError,
	memoryStore,
	type RunEvent,
	type RunResult,
	type Store,
} from "holdpoint";
import type { Team } from "holdpoint/teams";
import { type CrashPlan, crashingStore, promptProblems } from "holdpoint/testing";
import { z } from "zod";
import { fakeClock } from "../packages/holdpoint/src/testing/fake-clock.ts";
import {
	type Cast,
	type TeamStage,
	type TeamStageOptions,
	teamStage,
} from "../packages/holdpoint/src/testing/team-stage.ts";
import { journalProblems } from "./journal-laws.ts";

/** What is outside, and all that really happened there. */
export class TeamWorld {
	readonly happened: string[] = [];
	private readonly keys = new Set<string>();

	/** Honours the key, as a careful service does. */
	keyed(what: string, key: string): string {
		if (!this.keys.has(key)) this.happened.push(what);
		this.keys.add(key);
		return what;
	}
}

export interface TeamPlay {
	readonly cast: (tools: ReturnType<typeof worldTools>) => Cast;
	readonly team: TeamStageOptions["team"];
	/** What the user says, each time that somebody asks. */
	readonly replies?: readonly string[];
	readonly harness?: HarnessOptions;
	/** Opens the store anew for each process. Default: one in memory. */
	readonly open?: () => Store;
}

export interface PlayedTeam {
	readonly result: RunResult;
	readonly world: TeamWorld;
	readonly transcript: Transcript;
	/** Of the first process: at so many places it can die. */
	readonly commits: number;
	readonly crashes: number;
	readonly events: readonly RunEvent[];
	readonly problems: readonly string[];
}

/** All that every agent has seen and said, by the call that it works inside of and its name. */
export type Transcript = { readonly [thread: string]: unknown };

/** Lists what an agent can do here: look, book (needs an approval), and ask somebody who answers later. */
export function worldTools(world: TeamWorld) {
	const input = z.object({ what: z.string() });
	const look = defineTool({
		name: "look",
		description: "Looks.",
		input,
		effect: "read",
		labels: { integrity: "trusted", readers: ["everyone"] },
		execute: ({ what }) => `seen ${what}`,
	});
	const book = defineTool({
		name: "book",
		description: "Books.",
		input,
		effect: "write",
		repeat: "keyed",
		execute: ({ what }, { idempotencyKey }) => world.keyed(`booked ${what}`, idempotencyKey),
	});
	return { look, book };
}

const runId = "team";
const by = { id: "ann", via: "test" };
const roundsMax = 40;
const harmless = new Set(["look"]);

/** One process for each plan, one after the other, and a last one that does not die. */
export async function playTeam(play: TeamPlay, plans: readonly CrashPlan[] = []): Promise<PlayedTeam> {
	const world = new TeamWorld();
	const clock = fakeClock({ skipMs: 20_000 });
	const memory = memoryStore();
	const scenes: TeamStage[] = [];
	let result: RunResult | undefined;
	let commits = 0;
	let crashes = 0;
	for (const plan of [...plans, {}]) {
		if (result) break;
		const inner = play.open?.() ?? memory;
		const store = crashingStore(inner, plan);
		const scene = sceneOf(play, { world, clock, store });
		scenes.push(scene);
		result = await live(play, scene).catch((error: unknown) => {
			if (!store.crashed) throw error;
			crashes++;
			// The lease of a dead process runs out.
			clock.advance(60_000);
			return undefined;
		});
		commits ||= store.commits;
		if (play.open) await inner.close();
	}
	if (!result) throw new Error("The last process has no plan of a crash, and died");
	const last = play.open?.() ?? memory;
	const reader = sceneOf(play, { world, clock, store: last });
	const { state, events } = await reader.harness.show(runId);
	const told = events.map(({ event }) => event);
	const transcript = transcriptOf(state);
	const problems = [
		...scenes.flatMap(({ prompts }) => Object.values(prompts).flat().flatMap(promptProblems)),
		...foldProblems(scenes, transcript),
		...journalProblems(told, handoffsAside(told)),
		...((await last.approvals({ run: runId })).length > openOf(result) ? ["an approval is left"] : []),
	];
	if (play.open) await last.close();
	return { result, world, transcript, commits, crashes, events: told, problems };
}

function openOf(result: RunResult): number {
	return result.status === "waiting" ? result.waits.filter(({ kind }) => kind === "approval").length : 0;
}

/** What changes nothing outside: `look`, and whatever the run itself gives to agents. */
function handoffsAside(events: readonly RunEvent[]): ReadonlySet<string> {
	const own = events.flatMap((event) =>
		event.type === "model.answered"
			? event.content.flatMap((part) => (part.type === "tool-call" && part.toolName !== "book" ? part.toolName : []))
			: [],
	);
	return new Set([...harmless, ...own]);
}

interface Place {
	readonly world: TeamWorld;
	readonly clock: ReturnType<typeof fakeClock>;
	readonly store: Store;
}

function sceneOf({ cast, team, harness }: TeamPlay, { world, clock, store }: Place): TeamStage {
	return teamStage({ cast: cast(worldTools(world)), team, store, clock, harness: harness ?? {} });
}

/** What a worker, a person and a user do until the run is over, or the user has nothing more to say. */
async function live({ replies = [] }: TeamPlay, { harness, team }: TeamStage): Promise<RunResult> {
	let result = await begin(harness, team);
	for (let round = 0; round < roundsMax; round++) {
		if (result.status !== "waiting") return result;
		const said = (await harness.show(runId)).events.filter(({ event }) => event.type === "message.received").length;
		const reply = replies[said];
		for (const wait of result.waits) {
			if (wait.kind === "approval") await harness.approve(wait.approval, { by }).catch(onlyIfAnswered);
			if (wait.kind === "unknown") await harness.settle(runId, wait.call, { happened: true, result: "by letter", by });
			if (wait.kind === "user" && reply === undefined) return result;
			if (wait.kind === "user" && reply !== undefined) await harness.tell(runId, reply);
		}
		result = await harness.resume(runId);
	}
	throw new Error(`It does not come to an end: ${JSON.stringify(result)}`);
}

/** The process before may have died before anything of it was durable. */
function begin(harness: TeamStage["harness"], team: Team): Promise<RunResult> {
	return harness.run(team, "go", { runId, principal: "ann" });
}

/** The process died after the answer was left: it is there already. */
function onlyIfAnswered(error: unknown): void {
	if (!isHoldpointError(error) || !error.code.startsWith("approval.")) throw error;
}

type State = Awaited<ReturnType<TeamStage["harness"]["show"]>>["state"];

function transcriptOf({ conversation, calls }: State): Transcript {
	const inside = [...calls.values()].flatMap(({ inside: one }) => one ?? []);
	const threads = [conversation, ...inside].flatMap(({ call, threads: all }) =>
		[...all.values()].map(
			({ agent, messages }) => [`${call === undefined ? "" : "inside "}${agent}`, messages] as const,
		),
	);
	return Object.fromEntries(threads);
}

/** What a model was asked while the run went on is what the fold of its journal says: the beginning of its thread. */
function foldProblems(scenes: readonly TeamStage[], transcript: Transcript): string[] {
	return scenes.flatMap(({ prompts }) =>
		Object.entries(prompts).flatMap(([agent, seen]) => {
			const folded = (transcript[agent] ?? transcript[`inside ${agent}`] ?? []) as readonly unknown[];
			return seen.flatMap(([, ...messages]) => {
				const same = JSON.stringify(folded.slice(0, messages.length)) === JSON.stringify(messages);
				return same
					? []
					: [`${agent} was asked ${JSON.stringify(messages)}, and its thread is ${JSON.stringify(folded)}`];
			});
		}),
	);
}

/** Every place where the first process can die, before and after its commit. */
export function placesOf({ commits }: Pick<PlayedTeam, "commits">): Required<Pick<CrashPlan, "at" | "when">>[] {
	return Array.from({ length: commits }, (_, i) => i + 1).flatMap((at) =>
		(["before", "after"] as const).map((when) => ({ at, when })),
	);
}

/** The same end, the same words, and nothing twice. */
export function endOf({ result, world, transcript, problems }: PlayedTeam): unknown {
	return { result: { ...result, usage: undefined }, happened: world.happened, transcript, problems };
}
