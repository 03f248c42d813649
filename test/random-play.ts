/** Plays a random story, in processes that die where they are told to, until its run has ended. */

import {
	type Harness,
	type HarnessOptions,
	isHoldpointError,
	memoryStore,
	type RunEvent,
	type RunResult,
	type SandboxProvider,
	type Store,
} from "holdpoint";
import { type CrashingStore, type CrashPlan, crashingStore } from "holdpoint/testing";
import { type AuditReport, verifyExport } from "../packages/holdpoint/src/audit/verifier/verify.ts";
import { type Stage, stage } from "../packages/holdpoint/src/testing/stage.ts";
import { type RandomStory, randomStory } from "./random-story.ts";
import { Person, policyBeside, World, worldTools } from "./random-world.ts";
import { WatchedSandbox } from "./watched-sandbox.ts";

export const runId = "random";

/** `plain`: nothing but the story. The others say, cancel or limit something meanwhile. */
export const modes = ["plain", "messages", "cancel", "turnsMax"] as const;
export type Mode = (typeof modes)[number];

export interface Walk {
	readonly seed: number;
	readonly mode: Mode;
	readonly sandbox: SandboxProvider;
	/** Who is told how it goes. */
	readonly tracing?: HarnessOptions["tracing"];
}

export interface Played {
	readonly result: RunResult;
	readonly world: World;
	/** What nobody knew and had not happened: the model was told so, and the story does not do it again. */
	readonly notHappened: number;
	readonly store: Store;
	readonly events: readonly RunEvent[];
	/** What a stranger finds in the audit log, with all payloads. */
	readonly audit: AuditReport;
	readonly prompts: Stage["prompts"];
	/** Of the first process. */
	readonly commits: number;
	readonly crashes: number;
	/** Closes every harness, and with them the sandbox and the store. */
	readonly end: () => Promise<void>;
}

/** The published example key of signed notes: no secret. */
const auditKey = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const roundsMax = 60;

/** One process after the other, each with its plan of a crash and the last one without. */
export async function play(walk: Walk, plans: readonly CrashPlan[]): Promise<Played> {
	return new Player(walk).play(plans);
}

/** In a plain play calls that are not waited for begin with the others; with little room that is a race. */
function limitsOf({ mode, seed }: Walk): NonNullable<HarnessOptions["limits"]> {
	if (mode === "plain") return {};
	return { concurrencyMax: seed % 3 === 0 ? 8 : 1, ...(mode === "turnsMax" ? { turnsMax: 1 + (seed % 2) } : {}) };
}

class Player {
	private readonly walk: Walk;
	private readonly world = new World();
	private readonly person = new Person(this.world);
	private readonly store = memoryStore();
	private readonly base: Stage;
	private said = 0;
	private waited = 0;
	private cancels = 0;

	constructor(walk: Walk) {
		this.walk = walk;
		const { story }: RandomStory = randomStory(walk.seed);
		const sandbox = new WatchedSandbox(walk.sandbox);
		const harness = {
			policy: policyBeside(sandbox),
			sandbox,
			limits: limitsOf(walk),
			audit: { key: auditKey, everyLeaves: 1_000_000 },
			...(walk.tracing ? { tracing: walk.tracing } : {}),
		};
		this.base = stage({ story, ...worldTools(this.world), store: this.store, harness });
	}

	async play(plans: readonly CrashPlan[]): Promise<Played> {
		const processes = [...plans, {}].map((plan) => crashingStore(this.store, plan));
		const scenes: Stage[] = [];
		let result: RunResult | undefined;
		for (const process of processes) {
			if (result) break;
			const scene = this.base.again({ store: process });
			scenes.push(scene);
			result = await this.live(scene, process);
		}
		if (!result) throw new Error("The last process has no plan of a crash, and died");
		const { world, store, person } = this;
		const events = await this.base.events(runId);
		const crashes = processes.filter(({ crashed }) => crashed).length;
		const prompts = scenes.flatMap((scene) => scene.prompts);
		const commits = processes[0]?.commits ?? 0;
		const audit = await this.audited();
		const end = async () => {
			for (const { harness } of [...scenes, this.base]) await harness.close();
		};
		const { notHappened } = person;
		return { result, world, notHappened, store, events, audit, prompts, commits, crashes, end };
	}

	private async audited(): Promise<AuditReport> {
		const { audit } = this.base.harness;
		const lines: string[] = [];
		for await (const line of audit.export({ payloads: true })) lines.push(`${line}\n`);
		return verifyExport(lines, { key: await audit.key() });
	}

	/** The life of one process. Nothing where it died. */
	private async live(scene: Stage, process: CrashingStore): Promise<RunResult | undefined> {
		this.world.isAlive = () => !process.crashed;
		this.world.onBegin = () => this.cancelAmidst(scene.harness);
		try {
			const result = await this.work(scene);
			this.world.isOver = true;
			return result;
		} catch (error) {
			if (!process.crashed) throw error;
			// The lease of a dead process runs out.
			this.base.clock.advance(60_000);
			return undefined;
		}
	}

	private async work({ harness, agent }: Stage): Promise<RunResult> {
		for (let round = 0; round < roundsMax; round++) {
			const result = await harness.run(agent, "go", { runId, principal: "ann" });
			if (result.status !== "waiting") return result;
			const cancelled = await this.cancelWhileWaiting(harness);
			if (cancelled) return cancelled;
			if (await this.say(harness)) continue;
			if (result.waits.length === 0) throw new Error(`It waits for nothing: ${JSON.stringify(result)}`);
			for (const wait of result.waits) await this.person.answer(harness, runId, wait);
		}
		throw new Error("It does not come to an end");
	}

	/** Up to three messages. True where the run reads this one before anybody answers. */
	private async say(harness: Harness): Promise<boolean> {
		const { mode, seed } = this.walk;
		if ((mode !== "messages" && mode !== "turnsMax") || this.said === 3) return false;
		const turn = seed + ++this.said;
		await harness.tell(runId, `message ${this.said}`, turn % 3 === 0 ? "queue" : "turn");
		return turn % 2 === 1;
	}

	/** Seeds that are even: at one of its first waits. */
	private async cancelWhileWaiting(harness: Harness): Promise<RunResult | undefined> {
		const { mode, seed } = this.walk;
		if (mode !== "cancel" || seed % 2 === 1 || this.waited++ < (seed / 2) % 3) return undefined;
		return harness.cancel(runId);
	}

	/** Odd seeds: while one of its first calls is in flight. */
	private cancelAmidst(harness: Harness): void {
		const { mode, seed } = this.walk;
		if (mode !== "cancel" || seed % 2 === 0 || this.cancels++ !== ((seed - 1) / 2) % 4) return;
		// Its process may die before it is heard; then nobody has asked for the end.
		harness.cancel(runId).catch((error: unknown) => {
			if (!isHoldpointError(error)) throw error;
		});
	}
}
