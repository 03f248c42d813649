export { memoryStore } from "./adapters/stores/memory.ts";
export { sqliteStore } from "./adapters/stores/sqlite.ts";
export type { AuditOptions } from "./audit/open-auditor.ts";
export { type HarnessAgentDefinition, harnessAgent, type LoopSettings } from "./harness/harness-agent.ts";
export { createHarness, type HarnessOptions, type TracingOptions } from "./holdpoint.ts";
export { joinDecisions, type PolicyLike } from "./policy/decide.ts";
export { effectPolicy } from "./policy/effect-policy.ts";
export type { AuditedEvent, HarnessAudit } from "./run/audit-doors.ts";
export { type AgentDefinition, defineAgent } from "./run/define-agent.ts";
export type { Harness } from "./run/harness.ts";
export type { OpenApproval } from "./run/inbox.ts";
export type { ApproveOptions, DenyOptions, RunOptions } from "./run/run-options.ts";
export type { SendOptions, Session } from "./run/session.ts";
export type { RunView } from "./run/show-run.ts";
export type { RunStream, StreamEvent } from "./run/stream.ts";
export type { DeliveryReport, WebhookStatus } from "./run/webhooks.ts";
export type { Agent, CallInfo, Middleware, RunInfo } from "./spec/agent.ts";
export type { Answering, Approvers, Authority } from "./spec/approver.ts";
export type { Budget, BudgetAccount, BudgetStatus, Price, Prices } from "./spec/budget.ts";
export type { ContextOptions, ContextProvider } from "./spec/context.ts";
export { type ErrorCode, HoldpointError, isHoldpointError } from "./spec/errors.ts";
export type { Approver, Outcome, RunEvent } from "./spec/events.ts";
export type { Grant, GrantTerms, Standing, Switch } from "./spec/governance.ts";
export type { Json, JsonSchema } from "./spec/json.ts";
export type { Label, LabelRules } from "./spec/label.ts";
export type { Limits, ProgramLimits } from "./spec/limits.ts";
export type { LanguageModel, ModelDelta } from "./spec/model.ts";
export type {
	Ask,
	BudgetNow,
	BudgetsNow,
	Decision,
	GovernedAgent,
	GovernedParts,
	Policy,
	PolicyRequest,
	Provenance,
	ToolFacts,
} from "./spec/policy.ts";
export type { RunResult, Wait } from "./spec/result.ts";
export type { SandboxProvider } from "./spec/sandbox.ts";
export type { Store } from "./spec/store.ts";
export type { Effect, Labels, Repeatability, Tool, ToolContext } from "./spec/tool.ts";
export type { Measurement, Span, TraceExporter } from "./spec/trace.ts";
export type { Webhook, WebhookData, WebhookEvent, WebhookMessage } from "./spec/webhooks.ts";
export { defineTool, type ToolDefinition } from "./tools/define-tool.ts";
export { jsonSchema } from "./tools/json-schema.ts";
export { OutcomeUnknown } from "./tools/outcome-unknown.ts";
