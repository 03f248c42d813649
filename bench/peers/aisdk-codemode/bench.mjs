import {
	experimental_continueCodeModeApproval as continueApproval,
	experimental_getCodeModeInterrupt as interruptOf,
	experimental_runCodeMode as runCodeMode,
	experimental_setCodeModeContinuationSigningKey as setSigningKey,
} from "@ai-sdk/code-mode";
import { tool } from "ai";
import { z } from "zod";
import { serveRows, timed } from "../../subject.ts";
import { check, lookup, priceOf } from "../../work.ts";

setSigningKey("k".repeat(40), { maxAgeMs: 3_600_000 });

const inputSchema = z.object({ id: z.number() });
const find = tool({ description: "x", inputSchema, execute: async (args) => lookup(args) });
const pay = tool({ description: "x", inputSchema, needsApproval: true, execute: async (args) => lookup(args) });
const tools = { lookup: find };
const gated = { lookup: find, pay };
const options = { approval: { mode: "interrupt" } };

async function suspend({ calls = 0 }) {
	const js = `let s = 0; for (let i = 0; i < ${calls}; i++) s += (await tools.lookup({ id: i })).price;
const paid = await tools.pay({ id: 7 }); return s + paid.price`;
	const toolExecutionOptions = { toolCallId: "tc", messages: [] };
	const interrupt = interruptOf(await runCodeMode({ js, tools: gated, options, toolExecutionOptions }));
	check(interrupt !== undefined, "a call is held");
	return JSON.stringify(interrupt);
}

await serveRows({
	empty: timed({
		async run() {
			check((await runCodeMode({ js: "return 1", tools })) === 1, "it returns 1");
		},
	}),
	sequential: timed({
		async run(_, { calls }) {
			const js = `let s = 0; for (let i = 0; i < ${calls}; i++) s += (await tools.lookup({ id: i })).price; return s`;
			check((await runCodeMode({ js, tools })) === priceOf(calls), "the sum is right");
		},
	}),
	resume: timed({
		prepare: suspend,
		async run(stored, { calls }) {
			const interrupt = JSON.parse(stored);
			const approvalResponse = { approvalId: interrupt.interruptId, approved: true };
			const value = await continueApproval({ interrupt, approvalResponse, tools: gated, options });
			check(value === priceOf(calls) + 21, "the sum is right");
		},
	}),
	kept: async ({ args }) => ({ p50: Buffer.byteLength(await suspend(args)) }),
});
