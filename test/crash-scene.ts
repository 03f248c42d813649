/** What is played when processes are killed: one agent, and a world outside of its store that remembers every effect. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
	createHarness,
	defineAgent,
	defineTool,
	type Harness,
	isHoldpointError,
	jsonSchema,
	type Policy,
	type RunResult,
	type SandboxProvider,
	type Store,
} from "holdpoint";
import { call, calls, json, program, type Story, scriptedModel } from "holdpoint/testing";
import { type AuditReport, verifyExport } from "holdpoint/verify";

export const runId = "crash";

/** Lines of a file, each an effect that really happened: what a shop's or a bank's own database would be. */
export class World {
	readonly #file: string;

	constructor(folder: string) {
		this.#file = join(folder, "world");
	}

	get happened(): string[] {
		return this.#lines().map((line) => line.split(" ")[1] ?? "");
	}

	/** Honours the key, as a careful service does. */
	keyed(what: string, key: string): string {
		if (!this.#lines().some((line) => line.startsWith(`${key} `))) appendFileSync(this.#file, `${key} ${what}\n`);
		return what;
	}

	/** Knows no keys, as many services do not. */
	once(what: string): string {
		appendFileSync(this.#file, `- ${what}\n`);
		return what;
	}

	#lines(): string[] {
		return existsSync(this.#file) ? readFileSync(this.#file, "utf8").split("\n").filter(Boolean) : [];
	}
}

const code = `
const first = await tools.book({ what: "in-program" });
const [held, seen] = await Promise.all([tools.refund({ what: "in-program" }), tools.look({ what: "p" })]);
return [first, held, seen];`;

/** The next thing that has not succeeded: told that a mail was not sent after all, the model sends it again. */
const story: Story = (ask, n) => {
	const known = JSON.stringify(ask.messages);
	const first = { tool: "mail", args: { what: "first" } };
	if (n === 0) return calls([first, { tool: "execute_code", args: { code } }]);
	if (!known.includes("mailed:first")) return calls([first]);
	if (!known.includes("seen:q")) return program(`return await tools.look({ what: "q" });`);
	if (!known.includes("mailed:last")) return call("mail", { what: "last" });
	return json({ last: "mailed:last" });
};

function crashAgent(world: World) {
	const input = jsonSchema<{ what: string }>({
		type: "object",
		properties: { what: { type: "string" } },
		required: ["what"],
	});
	const book = (verb: string) => (args: { what: string }, context: { idempotencyKey: string }) =>
		world.keyed(`${verb}:${args.what}`, context.idempotencyKey);
	const tools = [
		defineTool({ name: "look", description: "Looks.", input, effect: "read", execute: ({ what }) => `seen:${what}` }),
		defineTool({ name: "book", description: "Books.", input, repeat: "keyed", execute: book("booked") }),
		defineTool({ name: "refund", description: "Refunds.", input, repeat: "keyed", execute: book("refunded") }),
		defineTool({ name: "mail", description: "Mails.", input, execute: ({ what }) => world.once(`mailed:${what}`) }),
	];
	const model = scriptedModel(story, { countTokens: false });
	return defineAgent({ name: "crasher", instructions: "Survive.", model, tools, programs: { direct: ["mail"] } });
}

export interface Work {
	readonly store: Store;
	readonly world: World;
	readonly sandbox: SandboxProvider;
}

export interface Worked {
	readonly result: RunResult;
	/** Calls that a person had to look into, and whether they had happened. */
	readonly settled: readonly string[];
	/** What a stranger finds in the audit log, and whether it tells of the policy and of the same events as the journal. */
	readonly audit: { readonly report: AuditReport; readonly isJournal: boolean };
}

/** What a worker and a person do together until the run is finished. */
export async function work({ store, world, sandbox }: Work): Promise<Worked> {
	const agent = crashAgent(world);
	// With a version of its own: the text of a function is another one where its types were taken out.
	const policy: Policy = {
		version: "crash-1",
		decide: ({ tool }) => (tool.name === "refund" ? { verdict: "ask", reason: "money" } : { verdict: "allow" }),
	};
	const keys = [{ id: "k1", secret: new Uint8Array(32).fill(7) }];
	const audit = { key: auditKey, everyLeaves: 5 };
	const harness = createHarness({ store, sandbox, policy, keys, audit, agents: [agent] });
	const settled: string[] = [];
	for (let round = 0; round < 20; round++) {
		const result = await harness.run(agent, "go", { runId, principal: "ann" });
		if (result.status !== "waiting") return { result, settled, audit: await audited(harness) };
		for (const wait of result.waits) {
			if (wait.kind === "approval") await approve(harness, wait.approval);
			if (wait.kind === "unknown") settled.push(await settle(harness, world, wait));
		}
	}
	throw new Error("It does not come to an end");
}

/** The published example key of signed notes: no secret. */
const auditKey = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";

async function audited(harness: Harness): Promise<Worked["audit"]> {
	const lines: string[] = [];
	for await (const line of harness.audit.export({ payloads: true })) lines.push(`${line}\n`);
	const report = await verifyExport(lines, { key: await harness.audit.key() });
	const told = lines.flatMap(
		(line) => (JSON.parse(line) as { leaf?: { event: { type: string } } }).leaf?.event.type ?? [],
	);
	const { events } = await harness.show(runId);
	// Which policy decides is laid down once, before anything, however many processes come to it.
	const expected = ["policy.changed", ...events.map(({ event }) => event.type)];
	return { report, isJournal: JSON.stringify(told) === JSON.stringify(expected) };
}

async function approve(harness: Harness, approval: string): Promise<void> {
	try {
		await harness.approve(approval, { by: { id: "ann", via: "test" } });
	} catch (error) {
		// Answered by the process that died, and not read yet.
		if (!isHoldpointError(error) || error.code !== "approval.forbidden") throw error;
	}
}

/** A person looks into the world. */
async function settle(
	harness: Harness,
	world: World,
	wait: { readonly call: string; readonly args: unknown },
): Promise<string> {
	const effect = `mailed:${(wait.args as { what: string }).what}`;
	const happened = world.happened.includes(effect);
	await harness.settle(runId, wait.call, { happened, result: effect });
	return `${effect} ${happened ? "had happened" : "had not happened"}`;
}
