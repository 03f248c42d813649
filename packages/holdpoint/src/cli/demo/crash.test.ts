import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sandboxName } from "../../testing/sandbox-under-test.ts";
import { prepareFolder } from "./demo-folder.ts";
import { planted } from "./shop-database.ts";
import { readShop } from "./shop-records.ts";
import { shopRequest } from "./shop-story.ts";

/** The process that goes on is killed in the middle of the refund; after the next one the refund is still one. */

const entry = join(import.meta.dirname, "../main.ts");
const patienceMs = 120_000;
let cwd: string;

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-crash-"));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

interface Ended {
	readonly code: number | null;
	readonly signal: string | null;
	readonly out: string;
}

async function cli(argv: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
	const place = { HOLDPOINT_STORE: "demo/holdpoint.db", HOLDPOINT_CONFIG: "deadly.config.mjs" };
	const base = { PATH: process.env["PATH"], HOME: process.env["HOME"], HOLDPOINT_SANDBOX: sandboxName };
	const child = spawn(process.execPath, [entry, ...argv, "--json"], {
		cwd,
		env: { ...base, ...place, ...env },
		stdio: ["ignore", "pipe", "inherit"],
	});
	let out = "";
	child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
	const [code, signal] = (await once(child, "close")) as [number | null, string | null];
	return { code, signal, out };
}

/** The demo's agent, whose large refund ends its own process where DIE says so, the first time that it is tried. */
function writeDeadlyConfig(repeat: "keyed" | "once"): void {
	const from = pathToFileURL(join(import.meta.dirname, "shop-config.ts")).href;
	writeFileSync(
		join(cwd, "deadly.config.mjs"),
		`
import { shopConfig } from ${JSON.stringify(from)};
const shop = shopConfig(${JSON.stringify(join(cwd, "demo/holdpoint.db"))});
const die = (when) => process.env.DIE === when && process.kill(process.pid, "SIGKILL");
const deadly = (tool) => tool.name !== "refund_order" ? tool : {
	...tool,
	repeat: ${JSON.stringify(repeat)},
	execute(args, context) {
		if (args.orderId !== "${planted.largeOrder}" || context.attempt > 1) return tool.execute(args, context);
		die("before");
		const result = tool.execute(args, context);
		die("after");
		return result;
	},
};
export const config = { ...shop, agents: shop.agents.map((agent) => ({ ...agent, tools: agent.tools.map(deadly) })) };
`,
	);
}

async function untilApproved(): Promise<string> {
	prepareFolder(join(cwd, "demo"), { keepsRuns: false });
	const started = await cli(["run", shopRequest]);
	expect(started.code, started.out).toBe(3);
	const result = JSON.parse(started.out.trim().split("\n").at(-1) ?? "") as {
		run: string;
		waits: { approval: string }[];
	};
	expect((await cli(["approve", result.waits[0]?.approval ?? ""])).code).toBe(0);
	return result.run;
}

function largeRefunds(): number {
	return readShop(join(cwd, "demo/shop.db")).refunds.filter(({ orderId }) => orderId === planted.largeOrder).length;
}

describe("a process that dies in the middle of the refund", () => {
	test.each(["before", "after"])(
		"right %s it: the next process does it again under the same key, and it has happened once",
		{ timeout: patienceMs },
		async (when) => {
			writeDeadlyConfig("keyed");
			const run = await untilApproved();
			expect(await cli(["resume", run], { DIE: when })).toMatchObject({ signal: "SIGKILL" });
			expect(largeRefunds()).toBe(when === "before" ? 0 : 1);
			const resumed = await cli(["resume"]);
			expect(resumed.code, resumed.out).toBe(0);
			expect(largeRefunds()).toBe(1);
			expect(readShop(join(cwd, "demo/shop.db")).messages).toBe(1);
			const journal = (await cli(["show", run])).out;
			expect(journal.match(/"type":"call\.started","call":"c1\.9"/g)).toHaveLength(2);
			expect(journal.match(/"type":"call\.started","call":"c1\.8"/g)).toHaveLength(1);
		},
	);

	test("where it may not be repeated: nobody guesses, the run waits until somebody has looked", {
		timeout: patienceMs,
	}, async () => {
		writeDeadlyConfig("once");
		const run = await untilApproved();
		expect(await cli(["resume", run], { DIE: "after" })).toMatchObject({ signal: "SIGKILL" });
		const waits = await cli(["resume", run]);
		expect(waits.code, waits.out).toBe(3);
		expect(waits.out).toContain('"kind":"unknown"');
		expect(largeRefunds()).toBe(1);
		const receipt = JSON.stringify({ refund: 58, orderId: planted.largeOrder, amountCents: 9_674 });
		expect((await cli(["settle", run, "c1.9", "--happened", receipt])).code).toBe(0);
		const resumed = await cli(["resume", run]);
		expect(resumed.code, resumed.out).toBe(0);
		expect(largeRefunds()).toBe(1);
	});
});
