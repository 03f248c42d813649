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
import { type CrashPlan, crashingStore, promptProblems } from "holdpoint/testing";
import { z } from "zod";
import { resultOf } from "../packages/holdpoint/src/run/conclude.ts";
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
	readonly acts?: Acts;
	/** Another process goes on after each pause. */
	readonly restarts?: boolean;
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
	/** How the run stands, as the fold of its journal says it. */
	readonly folded: RunResult;
}

/** All that every agent has seen and said, by the call that it works inside of and its name. */
export type Transcript = { readonly [thread: string]: readonly unknown[] };

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
	/** Those of processes that did not die: what a dead one had asked last nobody remembers. */
	const alive: TeamStage[] = [];
	let result: RunResult | undefined;
	let commits = 0;
	let crashes = 0;
	for (const plan of [...plans, {}]) {
		if (result) break;
		const inner = play.open?.() ?? memory;
		const store = crashingStore(inner, plan);
		const own = [sceneOf(play, { world, clock, store })];
		result = await live(play, own).catch((error: unknown) => {
			if (!store.crashed) throw error;
			crashes++;
			// The lease of a dead process runs out.
			clock.advance(60_000);
			return undefined;
		});
		scenes.push(...own);
		if (!store.crashed) alive.push(...own);
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
		...foldProblems(alive, transcript),
		...journalProblems(told, harmless),
		...((await last.approvals({ run: runId })).length > openOf(result) ? ["an approval is left"] : []),
	];
	if (play.open) await last.close();
	return { result, world, transcript, commits, crashes, events: told, problems, folded: resultOf(state) };
}

function openOf(result: RunResult): number {
	return result.status === "waiting" ? result.waits.filter(({ kind }) => kind === "approval").length : 0;
}

interface Place {
	readonly world: TeamWorld;
	readonly clock: ReturnType<typeof fakeClock>;
	readonly store: Store;
}

function sceneOf({ cast, team, harness }: TeamPlay, { world, clock, store }: Place): TeamStage {
	return teamStage({ cast: cast(worldTools(world)), team, store, clock, harness: harness ?? {} });
}

/** What people do at a pause. */
export interface Acts {
	/** To each held call. Default: approve. */
	answer?(call: string): "approve" | "deny";
	/** Said although nobody asked; undefined: nothing. `said`: how often the user spoke. */
	interrupt?(said: number): { readonly text: string; readonly mode: "turn" | "queue" } | undefined;
	/** Whether the run is cancelled then. */
	cancels?(said: number): boolean;
}

/** What workers, a person and a user do until the run is over, or the user has nothing more to say. */
async function live(play: TeamPlay, scenes: TeamStage[]): Promise<RunResult> {
	let scene = scenes.at(-1) as TeamStage;
	let result = await begin(scene.harness, scene.team);
	for (let round = 0; round < roundsMax; round++) {
		if (result.status !== "waiting") return result;
		const next = await pause(play, scene, result);
		if (next === "over") return result;
		if (play.restarts) {
			scene = scene.again();
			scenes.push(scene);
		}
		result = next === "cancel" ? await cancelled(scene) : await scene.harness.resume(runId);
	}
	throw new Error(`It does not come to an end: ${JSON.stringify(result)}`);
}

async function cancelled({ harness }: TeamStage): Promise<RunResult> {
	const result = await harness.cancel(runId);
	if (!result) throw new Error("Nobody else advances this run");
	return result;
}

/** Answers what a run waits for; only from what is in the store, so that it is the same after a crash. */
async function pause(
	{ replies = [], acts = {} }: TeamPlay,
	{ harness }: TeamStage,
	result: Extract<RunResult, { status: "waiting" }>,
): Promise<"on" | "over" | "cancel"> {
	const said = (await harness.show(runId)).events.filter(({ event }) => event.type === "message.received").length;
	if (acts.cancels?.(said)) return "cancel";
	const words = acts.interrupt?.(said);
	if (words && !result.waits.some(({ kind }) => kind === "user")) {
		await harness.tell(runId, words.text, words.mode);
		return "on";
	}
	const reply = replies[said];
	for (const wait of result.waits) {
		if (wait.kind === "approval") {
			const answer = acts.answer?.(wait.call) ?? "approve";
			await harness[answer](wait.approval, { by }).catch(onlyIfAnswered);
		}
		if (wait.kind === "unknown") await harness.settle(runId, wait.call, { happened: true, result: "by letter", by });
		if (wait.kind === "user" && reply !== undefined) await harness.tell(runId, reply);
	}
	const isOver = reply === undefined && result.waits.every(({ kind }) => kind === "user");
	return isOver ? "over" : "on";
}

/** The process before may have died before anything of it was durable. */
function begin(harness: TeamStage["harness"], team: TeamStage["team"]): Promise<RunResult> {
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
		[...all.values()].map(({ agent, messages }) => [`${call ?? ""} ${agent}`, messages] as const),
	);
	return Object.fromEntries(threads);
}

/** What a model was asked while the run went on is what the fold of its journal says: the beginning of its thread. */
function foldProblems(scenes: readonly TeamStage[], transcript: Transcript): string[] {
	return scenes.flatMap(({ prompts }) =>
		Object.entries(prompts).flatMap(([agent, seen]) => {
			const threads = Object.entries(transcript).flatMap(([key, folded]) =>
				key.endsWith(` ${agent}`) ? [folded] : [],
			);
			return seen.flatMap(([, ...messages]) => {
				const asked = JSON.stringify(messages);
				const same = threads.some((folded) => JSON.stringify(folded.slice(0, messages.length)) === asked);
				return same ? [] : [`${agent} was asked ${asked}, which is no beginning of ${JSON.stringify(threads)}`];
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
