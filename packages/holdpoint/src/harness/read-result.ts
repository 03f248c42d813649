import { charsPerToken } from "../kit/token-estimate.ts";
import { runTool, strangeField } from "../run/own-tools.ts";
import type { Tool } from "../spec/tool.ts";

/** So much is shown at a time. Characters. */
export const resultPageChars = 2_000 * charsPerToken;

/** Shows a result that was cleared, or shown in part. */
export function readResultTool(): Tool {
	return runTool({
		name: "read_result",
		description: `Shows a tool result that was cleared or cut: ${resultPageChars} characters from \`from\` on.`,
		inputSchema: {
			type: "object",
			properties: { call: { type: "string" }, from: { type: "integer", minimum: 0 } },
			required: ["call"],
			additionalProperties: false,
		},
		misfit: ({ call, from = 0, ...others }) => {
			if (typeof call !== "string") return "call must be the id of a call";
			if (!Number.isSafeInteger(from) || (from as number) < 0) return "from must be a whole number from 0 on";
			return strangeField({ call, from, ...others }, ["call", "from"]);
		},
		inRun: (args, run) => {
			const { call, from = 0 } = args as { readonly call: string; readonly from?: number };
			const result = run.resultOf(call);
			if (!result) throw new Error(`There is no result of a call ${JSON.stringify(call.slice(0, 100))}`);
			const { text, label } = result;
			const to = Math.min(text.length, from + resultPageChars);
			const rest = text.length - to;
			const value = `${text.slice(from, to)}${rest > 0 ? `\n[${rest} more characters: from ${to} on]` : ""}`;
			return { value, label };
		},
	});
}
