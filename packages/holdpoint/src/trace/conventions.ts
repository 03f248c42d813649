/**
 * Every name that a span or a metric of ours carries: OpenTelemetry's for generative AI, which are still in development,
 * and our own. `test/trace-conventions.json` is the table that they are checked against.
 */

import { epochAttribute, type Generation, runAttribute } from "../spec/trace.ts";

export const operations = {
	chat: "chat",
	tool: "execute_tool",
	agent: "invoke_agent",
	workflow: "invoke_workflow",
} as const;

export const attr = {
	operation: "gen_ai.operation.name",
	provider: "gen_ai.provider.name",
	requestModel: "gen_ai.request.model",
	finishReasons: "gen_ai.response.finish_reasons",
	inputTokens: "gen_ai.usage.input_tokens",
	outputTokens: "gen_ai.usage.output_tokens",
	cacheReadTokens: "gen_ai.usage.cache_read.input_tokens",
	reasoningTokens: "gen_ai.usage.reasoning.output_tokens",
	conversation: "gen_ai.conversation.id",
	agentName: "gen_ai.agent.name",
	workflowName: "gen_ai.workflow.name",
	toolName: "gen_ai.tool.name",
	toolType: "gen_ai.tool.type",
	toolCallId: "gen_ai.tool.call.id",
	toolArguments: "gen_ai.tool.call.arguments",
	toolResult: "gen_ai.tool.call.result",
	inputMessages: "gen_ai.input.messages",
	outputMessages: "gen_ai.output.messages",
	tokenType: "gen_ai.token.type",
	tokenModality: "gen_ai.token.modality",
	errorType: "error.type",
	run: runAttribute,
	runStatus: "holdpoint.run.status",
	segment: epochAttribute,
	segmentBefore: "holdpoint.segment.previous",
	call: "holdpoint.call.id",
	outcome: "holdpoint.call.outcome",
	attempt: "holdpoint.call.attempt",
	line: "holdpoint.program.line",
	/** It began in an earlier segment. */
	isContinued: "holdpoint.continued",
	/** The segment ended before it did. */
	isUnfinished: "holdpoint.unfinished",
	/** The provider did not report its tokens. */
	isEstimated: "holdpoint.usage.estimated",
	/** How often the model was asked again before it answered, or did not. */
	retries: "holdpoint.model.retries",
	cost: "holdpoint.cost.usd",
	verdict: "holdpoint.decision.verdict",
	policy: "holdpoint.decision.policy",
	reason: "holdpoint.decision.reason",
	approval: "holdpoint.approval.id",
	answer: "holdpoint.approval.outcome",
	waited: "holdpoint.approval.waited_s",
	sandbox: "holdpoint.sandbox.provider",
	guestFrom: "holdpoint.sandbox.from",
	snapshotBytes: "holdpoint.sandbox.snapshot_bytes",
	handoffFrom: "holdpoint.handoff.from",
	handoffTo: "holdpoint.handoff.to",
	rows: "holdpoint.rehearsal.rows",
	ended: "holdpoint.rehearsal.end",
	commitEvents: "holdpoint.checkpoint.events",
	commitKind: "holdpoint.checkpoint.kind",
	eventsLeftOut: "holdpoint.events.left_out",
	queue: "holdpoint.queue",
} as const;

export const ownSpans = {
	approval: "holdpoint.approval",
	checkpoint: "holdpoint.checkpoint",
	settlement: "holdpoint.settlement",
} as const;

export const spanEvents = {
	decision: "holdpoint.decision",
	asked: "holdpoint.approval.requested",
	escalated: "holdpoint.approval.escalated",
	refused: "holdpoint.approval.refused",
	granted: "holdpoint.grant.given",
	started: "holdpoint.sandbox.started",
	suspended: "holdpoint.sandbox.suspended",
	restored: "holdpoint.sandbox.restored",
	rehearsed: "holdpoint.rehearsal",
	handoff: "holdpoint.handoff",
	compaction: "holdpoint.compaction",
	resumed: "holdpoint.run.resumed",
	message: "holdpoint.message.received",
	user: "holdpoint.user.asked",
	rejected: "holdpoint.output.rejected",
	unanswered: "holdpoint.model.unanswered",
	timerSet: "holdpoint.timer.set",
	timerFired: "holdpoint.timer.fired",
	cancel: "holdpoint.cancel.requested",
	ignored: "holdpoint.signal.ignored",
} as const;

export const metrics = {
	operationDuration: "gen_ai.client.operation.duration",
	tokenUsage: "gen_ai.client.token.usage",
	inferenceDuration: "gen_ai.client.inference.duration",
	usageInput: "gen_ai.client.inference.usage.input_tokens",
	usageOutput: "gen_ai.client.inference.usage.output_tokens",
	usageCacheRead: "gen_ai.client.inference.usage.cache_read.input_tokens",
	usageReasoning: "gen_ai.client.inference.usage.reasoning.output_tokens",
	inputPerOperation: "gen_ai.client.inference.operation.input_tokens",
	outputPerOperation: "gen_ai.client.inference.operation.output_tokens",
	toolDuration: "gen_ai.execute_tool.duration",
	agentDuration: "gen_ai.invoke_agent.duration",
	cost: "holdpoint.cost",
	callDuration: "holdpoint.call.duration",
	approvalsOpen: "holdpoint.approvals.open",
	approvalWait: "holdpoint.approval.wait",
	queueAge: "holdpoint.queue.age",
	commitDuration: "holdpoint.commit.duration",
} as const;

/** Well-known names of providers, by how the AI SDK's name of the same begins. */
const providers: readonly (readonly [begins: string, name: string])[] = [
	["google.vertex", "gcp.vertex_ai"],
	["google.generative-ai", "gcp.gemini"],
	["google", "gcp.gemini"],
	["amazon-bedrock", "aws.bedrock"],
	["azure", "azure.ai.openai"],
	["openai", "openai"],
	["anthropic", "anthropic"],
	["mistral", "mistral_ai"],
	["moonshotai", "moonshot_ai"],
	["xai", "x_ai"],
	["cohere", "cohere"],
	["deepseek", "deepseek"],
	["groq", "groq"],
	["perplexity", "perplexity"],
];

/** `openai.responses` is `openai`; a name that is not well known stays as it is. */
export function providerName(provider: string): string {
	const known = providers.find(([begins]) => provider === begins || provider.startsWith(`${begins}.`));
	return known?.[1] ?? provider;
}

/** From the variables that OpenTelemetry has for it. */
export function generationOf(env: { readonly [name: string]: string | undefined }): Generation {
	const wanted = (env["OTEL_SEMCONV_STABILITY_OPT_IN"] ?? "").split(",").map((word) => word.trim());
	return wanted.includes("gen_ai_latest_experimental") ? "latest" : "v1.41";
}

/** Whether what was said may be recorded. Older instrumentations know `true`, newer ones the others. */
export function capturesContent(env: { readonly [name: string]: string | undefined }): boolean {
	const wanted = (env["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] ?? "").trim().toLowerCase();
	return ["true", "span_only", "span_and_event"].includes(wanted);
}
