/** A program that refunds, and its rehearsal, for this package's own tests. */
import type { OpenApproval } from "../run/inbox.ts";
import type { ProgramOptions } from "../spec/agent.ts";
import type { Approver } from "../spec/events.ts";
import type { Ask, Policy } from "../spec/policy.ts";
import { defineTool } from "../tools/define-tool.ts";
import { jsonSchema } from "../tools/json-schema.ts";
import { sandboxUnderTest } from "./sandbox-under-test.ts";
import { type Stage, type StageOptions, stage } from "./stage.ts";
import { program, say } from "./story.ts";

const person = (id: string): Approver => ({ id, via: "test" });
export const [ann, bob] = [person("ann"), person("bob")];

export interface Refund {
	readonly order: string;
	readonly cents: number;
}

export const orders = [1, 2, 3, 4].map((n) => ({ order: `o${n}`, cents: n * 100 }));

function object<Shape>(properties: { readonly [Field in keyof Shape & string]: "string" | "integer" }) {
	const fields = Object.entries(properties).map(([name, type]) => [name, { type }]);
	const required = Object.keys(properties);
	return jsonSchema<Shape>({ type: "object", properties: Object.fromEntries(fields), required });
}

const opened: Stage[] = [];

/** For the end of each test. */
export async function closeShops(): Promise<void> {
	for (const { harness } of opened.splice(0)) await harness.close();
}

interface Wishes extends Partial<StageOptions> {
	readonly source?: string;
	readonly ask?: Ask;
	readonly options?: Partial<ProgramOptions>;
	readonly simulated?: boolean;
}

const refundAll = `let sum = 0;
for (const { order, cents } of await tools.list_orders({})) sum += (await tools.refund({ order, cents })).refunded;
await tools.note({ text: "refunded " + sum });
return sum;`;

/** A shop whose refunds are asked about, whose notes are allowed writes, and whose deletions are denied. */
export function shop({ source = refundAll, ask = {}, options, simulated = true, ...rest }: Wishes = {}) {
	const done: string[] = [];
	const list = defineTool({
		name: "list_orders",
		description: "Lists.",
		effect: "read",
		input: object<object>({}),
		execute: () => {
			done.push("list");
			return orders;
		},
	});
	const refund = defineTool({
		name: "refund",
		description: "Refunds.",
		repeat: "keyed",
		input: object<Refund>({ order: "string", cents: "integer" }),
		output: object<{ readonly refunded: number }>({ refunded: "integer" }),
		...(simulated
			? {
					simulate: ({ order, cents }: Refund) => {
						if (order === "o-none") throw new Error("there is no such order");
						return { refunded: cents };
					},
				}
			: {}),
		execute: ({ order, cents }) => {
			done.push(`refund ${order} ${cents}`);
			return { refunded: cents };
		},
	});
	const note = defineTool({
		name: "note",
		description: "Notes.",
		input: object<{ readonly text: string }>({ text: "string" }),
		simulate: () => "noted",
		execute: ({ text }) => {
			done.push(`note ${text}`);
			return "noted";
		},
	});
	const drop = defineTool({
		name: "drop",
		description: "Deletes.",
		effect: "destructive",
		input: object<object>({}),
		execute: () => done.push("drop"),
	});
	const policy: Policy = {
		version: "p",
		decide: ({ tool }) => {
			if (tool.name === "refund") return { verdict: "ask", reason: "money", ask };
			return tool.name === "drop" ? { verdict: "deny", reason: "never" } : { verdict: "allow" };
		},
	};
	const { harness, ...more } = rest;
	const scene = stage({
		story: [program(source), say("done")],
		tools: [list, refund, note, drop],
		programs: { rehearse: true, ...options },
		harness: { policy, sandbox: sandboxUnderTest(), ...harness },
		...more,
	});
	opened.push(scene);
	return { scene, done };
}

export async function held({ scene }: { readonly scene: Stage }) {
	const result = await scene.harness.run(scene.agent, "go", { principal: "eve" });
	const [approval] = await scene.harness.approvals();
	if (!approval) throw new Error(`nothing is held: ${JSON.stringify(result)}`);
	return { run: result.run, approval, rehearsal: approval.rehearsal };
}

export const seen = ({ rehearsal }: OpenApproval) => (rehearsal ? { rehearsal: rehearsal.digest } : {});

export const refunds = orders.map(({ order, cents }) => `refund ${order} ${cents}`);
