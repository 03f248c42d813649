import { runTool } from "../run/own-tools.ts";
import type { Tool } from "../spec/tool.ts";

/** Ends work that was started in the background. */
export function stopAgentTool(): Tool {
	return runTool({
		name: "stop_agent",
		description: "Stops work that you started in the background, under the id that you were told.",
		inputSchema: {
			type: "object",
			properties: { call: { type: "string" } },
			required: ["call"],
			additionalProperties: false,
		},
		isDirectOnly: true,
		inRun: (args, run) => {
			const { call } = args as { readonly call: string };
			if (!run.isInBackground(call))
				throw new Error(`Nothing works in the background as ${JSON.stringify(call.slice(0, 100))}`);
			return { value: "Stopped.", stops: [call] };
		},
	});
}
