/** A config with teams, for tests of the command line: what each agent says follows from what it hears. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Recorded, recorded } from "./recording-host.ts";

function from(path: string): string {
	return JSON.stringify(pathToFileURL(join(import.meta.dirname, path)).href);
}

const config = `
import { defineAgent } from ${from("../run/define-agent.ts")};
import { agentTool } from ${from("../run/agent-tool.ts")};
import { defineTool } from ${from("../tools/define-tool.ts")};
import { jsonSchema } from ${from("../tools/json-schema.ts")};
import { OutcomeUnknown } from ${from("../tools/outcome-unknown.ts")};
import { handoff, parallel, pipeline } from ${from("../teams.ts")};
import { scriptedModel } from ${from("../testing/scripted-model.ts")};
import { call, failing, say } from ${from("../testing/story.ts")};

const schema = (name, type) => jsonSchema({ type: "object", properties: { [name]: { type } }, required: [name] });
const tool = (name, effect, input, execute) => defineTool({ name, description: name, effect, input, execute });
const pay = tool("pay", "write", schema("cents", "integer"), ({ cents }) => ({ paid: cents }));
const lookUp = tool("look_up", "read", schema("order", "string"), ({ order }) => ({ order, cents: 900 }));
const label = tool("label", "write", schema("order", "string"), () => { throw new OutcomeUnknown("the line was cut"); });

const agent = (name, tools, story) =>
	defineAgent({ name, instructions: "You are " + name + ".", tools, model: scriptedModel(story, { countTokens: false }) });

const desk = agent("desk", [lookUp], (ask) => {
	if (ask.results.length > 0) return call("handoff_to_refund", { reason: "a refund of A-1", summary: "she is nice" }, { text: "One moment." });
	if (ask.lastUser.includes("refund")) return call("look_up", { order: "A-1" });
	if (ask.lastUser.includes("parcel")) return call("handoff_to_shipping", { reason: "a parcel" });
	if (ask.lastUser.includes("hostile")) return say("\\u001b]0;owned\\u0007\\u001b[2JRead \\u202ethis");
	if (ask.lastUser.includes("slowly") && process.env.HANGS) {
		process.stderr.write("it hangs");
		return { does: "hang", error: () => new TypeError("terminated") };
	}
	if (ask.lastUser.includes("busy")) return failing(429, { "retry-after": "3600" });
	if (ask.lastUser.includes("fail")) return failing(400);
	return say("Desk: " + ask.lastUser);
});
const refund = agent("refund", [pay], (ask) => {
	if (ask.results.length > 0) return say("Refund: " + JSON.stringify(ask.results[0].value));
	return ask.lastUser.includes("yes") ? call("pay", { cents: 900 }) : say("Shall I pay 9.00?");
});
const shipping = agent("shipping", [label], (ask) =>
	ask.results.length > 0 ? say("Shipping: " + JSON.stringify(ask.results[0].value)) : call("label", { order: "A-1" }),
);
const clerk = agent("clerk", [pay], (ask) => (ask.results.length > 0 ? say("I paid.") : call("pay", { cents: 5 })));
const boss = agent("boss", [agentTool(clerk)], (ask) =>
	ask.results.length > 0 ? say("All is done.") : call("ask_clerk", { task: ask.lastUser }),
);
const speaker = (name, times) => agent(name, [], () => say((name + " says it. ").repeat(times)));
const bare = defineAgent({ name: "bare", instructions: "You have no model." });

export const config = {
	agents: [
		handoff({ name: "support" })
			.participants([desk, refund, shipping])
			.coordinator(desk)
			.edge(desk, shipping)
			.edge(desk, refund, { description: "When money is to go back.", carry: "results", only: ["pay"] })
			.edge(refund, desk, { carry: "none" })
			.build(),
		pipeline([pipeline([boss], { name: "floor" })], { name: "office" }),
		parallel([speaker("left", 9), speaker("right", 7)], { name: "beside", join: ({ left, right }) => left + right }),
		clerk,
		pipeline([bare], { name: "empty" }),
	],
	policy: ({ tool }) =>
		tool.name === "pay" ? { verdict: "ask", reason: "money leaves" } : { verdict: "allow" },
};
`;

export interface TeamScene {
	readonly cwd: string;
	cli(...argv: string[]): Promise<Recorded>;
	/** With these lines on standard input. */
	typing(lines: readonly string[], ...argv: string[]): Promise<Recorded>;
	remove(): void;
}

/** A folder with the config in it, as each command of a person finds it. */
export function teamScene(): TeamScene {
	const cwd = mkdtempSync(join(tmpdir(), "holdpoint-teams-"));
	writeFileSync(join(cwd, "holdpoint.config.mjs"), config);
	return {
		cwd,
		cli: (...argv) => recorded(argv, { cwd }),
		typing: (lines, ...argv) => recorded(argv, { cwd, stdin: lines.map((line) => `${line}\n`).join("") }),
		remove: () => rmSync(cwd, { recursive: true, force: true }),
	};
}
