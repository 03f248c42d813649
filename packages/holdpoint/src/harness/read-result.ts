import { endWithin, wholeFrom } from "../kit/text-size.ts";
import { charsPerToken } from "../kit/token-estimate.ts";
import { runTool } from "../run/own-tools.ts";
import { fixedLimits } from "../spec/limits.ts";
import type { Tool } from "../spec/tool.ts";

const { resultPageTokensMax } = fixedLimits;
/** What it says around a page. */
const aroundTokens = 20;

/** Shows a result that was cleared, or shown in part: at a time less than what is shown of any result. */
export function readResultTool(resultTokensMax: number): Tool {
	const pageSize = (Math.min(resultPageTokensMax, resultTokensMax) - aroundTokens) * charsPerToken;
	return runTool({
		name: "read_result",
		description: `Shows a tool result or a text that was cleared or cut: ${pageSize} characters from \`from\` on.`,
		inputSchema: {
			type: "object",
			properties: { call: { type: "string" }, from: { type: "integer", minimum: 0 } },
			required: ["call"],
			additionalProperties: false,
		},
		inRun: (args, run) => {
			const { call, from = 0 } = args as { readonly call: string; readonly from?: number };
			const result = run.resultOf(call);
			if (!result) throw new Error(`There is no result of a call ${JSON.stringify(call.slice(0, 100))}`);
			const { text, label } = result;
			const begin = wholeFrom(text, from);
			const to = endWithin(text, begin, pageSize);
			const rest = text.length - to;
			const value = `${text.slice(begin, to)}${rest > 0 ? `\n[${rest} more characters: from ${to} on]` : ""}`;
			return { value, label };
		},
	});
}
