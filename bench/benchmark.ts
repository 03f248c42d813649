/** The vocabulary of the benchmarks: what is measured, against what, and beside whom. */
import type { Pace } from "./pace.ts";
import type { Lane, Laps } from "./race.ts";

export const peerTitles = {
	aisdk: "AI SDK",
	openai: "OpenAI Agents",
	langgraph: "LangGraph.js",
	mastra: "Mastra",
	"aisdk-codemode": "AI SDK code mode",
	"cf-codemode": "Cloudflare codemode",
	quickjs: "QuickJS, native",
} as const;

export type PeerName = keyof typeof peerTitles;
export const peerNames = Object.keys(peerTitles) as readonly PeerName[];

/** What else has a column of its own: rows named `<name>.<this>`. */
export const besideTitles = {
	...peerTitles,
	wasm: "wasm sandbox",
	hyperlight_published: "Hyperlight, as it publishes; not measured here",
} as const;

export type BesideName = keyof typeof besideTitles;

export type Unit =
	| "µs"
	| "ms"
	| "MB"
	| "B"
	| "×"
	| "calls"
	| "agents"
	| "calls/s"
	| "events/s"
	| "programs/s"
	| "handoffs/s"
	| "handoffs"
	| "processes"
	| "files"
	| "commits"
	| "packages"
	| "tasks"
	| "tasks/s"
	| "compactions"
	| "crash points"
	| "turns"
	| "tokens"
	| "answers";

/** One figure: its dotted name, and what it must reach. */
export interface Row {
	readonly name: string;
	readonly unit: Unit;
	/** One line for a reader of the table. */
	readonly says: string;
	readonly op?: "<=" | ">=";
	readonly target?: number;
	/** For orientation: a ratio measured beside it is what counts, because this machine's speed is not ours. */
	readonly guidance?: true;
}

/** How a figure spreads. */
export interface Spread {
	/** The median. */
	readonly value: number;
	/** Nineteen of twenty measurements are as good as this or better. */
	readonly p95?: number;
}

/** A value of each row of ours; `undefined` where it could not be measured here, and a note says why. Peers may be left out. */
export type Values = { readonly [row: string]: Spread | number | undefined };

export interface Benchmark {
	readonly title: string;
	readonly rows: readonly Row[];
	/** Takes more than a minute: runs with `--full` alone. */
	readonly full?: true;
	readonly peers?: readonly PeerName[];
	/** Columns of its table beside those of its peers. */
	readonly beside?: readonly BesideName[];
	run(context: BenchContext): Promise<Values>;
}

/** What a benchmark is given. */
export interface BenchContext {
	/** Everything tiny: does it run at all? */
	readonly smoke: boolean;
	readonly full: boolean;
	/** Peers that are installed here, of those that the benchmark asks for. */
	readonly peers: readonly PeerName[];
	/** The built package, or its sources while there is no fresh build. */
	readonly bundle: "bundle" | "sources";
	/** `count`, or very few of them in a smoke run. */
	count(count: number): number;
	/** Measures lanes side by side, in fresh processes: `race.ts`. */
	race(groups: readonly (readonly Lane[])[], pace?: Partial<Pace>): Promise<Laps>;
	/** Runs a file of ours to its end in a fresh process; resolves with what it printed. */
	node(args: readonly string[], options?: NodeOptions): Promise<NodeRun>;
	/** A fresh folder on the disk of the repository, gone at the end. */
	folder(): string;
	/** Something that a reader of the figures must know. */
	note(text: string): void;
}

export interface NodeOptions {
	readonly cwd?: string;
	readonly timeoutMs?: number;
}

export interface NodeRun {
	readonly stdout: string;
	/** From the start of the process to its end. */
	readonly ms: number;
}

/** The row, and the same of each peer: `<name>.<peer>`. */
export function withPeers(row: Row, peers: readonly PeerName[]): readonly Row[] {
	const others = peers.map((peer) => ({
		name: `${row.name}.${peer}`,
		unit: row.unit,
		says: `the same with ${peerTitles[peer]}`,
	}));
	return [row, ...others];
}

/** Our figure divided by a peer's, measured in turns. Without a target where nothing is promised. */
export function ratioRow(row: Row, peer: PeerName, target?: number): Row {
	const promised = target === undefined ? {} : ({ op: "<=", target } as const);
	return {
		name: `${row.name}.ratio_${peer}`,
		unit: "×",
		...promised,
		says: `the same, divided by that of ${peerTitles[peer]}`,
	};
}

/** Does the value reach the row's target? A row without one has nothing to fall short of. */
export function isReached(row: Row, value: number): boolean {
	if (row.target === undefined) return true;
	return row.op === ">=" ? value >= row.target : value <= row.target;
}
