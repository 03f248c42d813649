import type { ModelPrompt } from "../spec/model.ts";

/**
 * What is wrong with a prompt in the eyes of a provider: the calls of an answer must be answered by the very next
 * message, each exactly once, with nothing in between; no id twice; no result without a call.
 */
export function promptProblems(prompt: ModelPrompt): string[] {
	const problems: string[] = [];
	const seen = new Set<string>();
	let open = new Set<string>();
	prompt.forEach((message, at) => {
		if (message.role === "tool") {
			for (const part of message.content) {
				if (part.type !== "tool-result") continue;
				if (!open.delete(part.toolCallId))
					problems.push(`message ${at}: a result for ${part.toolCallId}, which is not open`);
			}
		}
		if (open.size > 0) problems.push(`message ${at}: ${message.role} while ${[...open].join(", ")} has no result`);
		open = new Set();
		if (message.role !== "assistant") return;
		for (const part of message.content) {
			if (part.type !== "tool-call" || part.providerExecuted) continue;
			if (seen.has(part.toolCallId)) problems.push(`message ${at}: the id ${part.toolCallId} is used again`);
			seen.add(part.toolCallId);
			open.add(part.toolCallId);
		}
	});
	if (open.size > 0) problems.push(`the end: ${[...open].join(", ")} has no result`);
	if (prompt.at(-1)?.role === "assistant") problems.push("the end: nothing was said since the model's last answer");
	return problems;
}
