import { join } from "node:path";
import {
	type BenchContext,
	type Benchmark,
	type PeerName,
	type Row,
	ratioRow,
	type Values,
	withPeers,
} from "../benchmark.ts";
import { root } from "../bundle.ts";
import { type InstallSize, installedSize, publishedSize } from "../package-size.ts";
import { peerFolder } from "../peers.ts";
import { median } from "../statistics.ts";

const peers: readonly PeerName[] = ["aisdk", "openai", "langgraph", "mastra"];
const times = 9;

const time: Row = {
	name: "import.ms",
	unit: "ms",
	op: "<=",
	target: 60,
	guidance: true,
	says: "`import` of the package in a fresh process",
};
const memory: Row = {
	name: "import.rss",
	unit: "MB",
	op: "<=",
	target: 60,
	says: "resident memory after it, of which Node itself has most",
};
const node: Row = { name: "import.rss_of_node", unit: "MB", says: "resident memory of a process that imports nothing" };
const rows = [...withPeers(time, peers), ratioRow(time, "aisdk", 0.4), ...withPeers(memory, peers), node];

const megabytes: Row = { name: "import.install_mb", unit: "MB", op: "<=", target: 10, says: "size of an installation" };
const packages: Row = {
	name: "import.install_packages",
	unit: "packages",
	op: "<=",
	target: 8,
	says: "packages of an installation",
};
const sizeRows = [...withPeers(megabytes, peers), ...withPeers(packages, peers)];

const entries: { readonly [peer in PeerName]?: string } = {
	aisdk: "ai",
	openai: "@openai/agents",
	langgraph: "langchain",
	mastra: "@mastra/core/agent",
};

interface Sample {
	readonly ms: number;
	readonly rss: number;
}

async function importOnce(context: BenchContext, entry: string | undefined, cwd: string): Promise<Sample> {
	const code = `const began = performance.now();
${entry === undefined ? "" : `await import(${JSON.stringify(entry)});`}
const ms = performance.now() - began;
process.stdout.write("\\n" + JSON.stringify({ ms, rss: process.memoryUsage.rss() / 2 ** 20 }) + "\\n", () => process.exit(0));`;
	const { stdout } = await context.node(["--input-type=module", "--eval", code], { cwd });
	return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Sample;
}

function sizesOf(values: Record<string, number | undefined>, suffix: string, size: InstallSize): void {
	values[`${megabytes.name}${suffix}`] = size.bytes / 1e6;
	values[`${packages.name}${suffix}`] = size.packages;
}

export const imports: readonly Benchmark[] = [
	{
		title: "Import in a fresh process",
		rows,
		peers,
		async run(context) {
			if (context.bundle === "sources") context.note("import: the sources are many files; the bundle is what counts");
			const contestants = [
				{ suffix: "", entry: "holdpoint", cwd: root },
				...context.peers.map((peer) => ({ suffix: `.${peer}`, entry: entries[peer], cwd: peerFolder(peer) })),
				{ suffix: "_of_node", entry: undefined, cwd: root },
			];
			const samples = new Map<string, Sample[]>(contestants.map(({ suffix }) => [suffix, []]));
			for (let i = 0; i < context.count(times); i++) {
				for (const { suffix, entry, cwd } of contestants) {
					samples.get(suffix)?.push(await importOnce(context, entry, cwd));
				}
			}
			const values: Record<string, number | undefined> = {};
			for (const [suffix, list] of samples) {
				values[`${time.name}${suffix}`] = median(list.map(({ ms }) => ms));
				values[`${memory.name}${suffix}`] = median(list.map(({ rss }) => rss));
			}
			const others = samples.get(".aisdk");
			const ratios = samples.get("")?.flatMap(({ ms }, at) => (others?.[at] ? ms / others[at].ms : [])) ?? [];
			values[`${time.name}.ratio_aisdk`] = ratios.length > 0 ? median(ratios) : undefined;
			return values;
		},
	},
	{
		title: "Size of an installation",
		rows: sizeRows,
		peers,
		async run(context): Promise<Values> {
			const values: Record<string, number | undefined> = { [megabytes.name]: undefined, [packages.name]: undefined };
			if (context.bundle === "bundle") sizesOf(values, "", publishedSize(join(root, "packages/holdpoint")));
			else context.note("import.install: there is no fresh bundle to weigh");
			for (const peer of context.peers)
				sizesOf(values, `.${peer}`, installedSize(join(peerFolder(peer), "node_modules")));
			return values;
		},
	},
];
