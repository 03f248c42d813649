/** Metrics of what happened. The conventions' own come in two generations; which one is spoken is asked for, never both. */
import type { Outcome, RunEvent } from "../spec/events.ts";
import type { Attributes, Generation, Measurement } from "../spec/trace.ts";
import { attr, metrics, operations } from "./conventions.ts";

type Tell = (measurement: Measurement) => void;
/** The provider's well-known name, and the model's. */
interface Named {
	readonly provider: string;
	readonly model: string;
}

type Answered = Extract<RunEvent, { type: "model.answered" }>;

/** From milliseconds to the seconds of the conventions. */
const seconds = (ms: number): number => Math.max(0, ms) / 1_000;

type Value = Pick<Measurement, "name" | "unit" | "value">;

function histogram(value: Value, attributes: Attributes): Measurement {
	return { ...value, instrument: "histogram", attributes };
}

function counter(value: Value, attributes: Attributes): Measurement {
	return { ...value, instrument: "counter", attributes };
}

export class Meter {
	private readonly tell: Tell;
	private readonly isLatest: boolean;

	constructor(tell: Tell, generation: Generation) {
		this.tell = tell;
		this.isLatest = generation === "latest";
	}

	answered({ usage, ms }: Answered, of: Named, cost?: number): void {
		const about = chatAttributes(of);
		this.asked(ms, about);
		if (this.isLatest) this.countTokens(usage, about);
		else
			for (const [type, tokens] of [
				["input", usage.inputTokens],
				["output", usage.outputTokens],
			] as const)
				this.tell(
					histogram({ name: metrics.tokenUsage, unit: "{token}", value: tokens }, { ...about, [attr.tokenType]: type }),
				);
		if (cost !== undefined) this.tell(counter({ name: metrics.cost, unit: "USD", value: cost }, about));
	}

	/** `type`: of the error. */
	unanswered(of: Named, ms: number, type: string): void {
		this.asked(ms, { ...chatAttributes(of), [attr.errorType]: type });
	}

	private asked(ms: number, about: Attributes): void {
		const name = this.isLatest ? metrics.inferenceDuration : metrics.operationDuration;
		this.tell(histogram({ name, unit: "s", value: seconds(ms) }, about));
	}

	private countTokens(usage: Answered["usage"], about: Attributes): void {
		// Providers do not say of which modality they are.
		const unknown = { ...about, [attr.tokenModality]: "unknown" };
		const { inputTokens, outputTokens, cachedInputTokens, reasoningTokens } = usage;
		this.tell(counter({ name: metrics.usageInput, unit: "{token}", value: inputTokens }, unknown));
		this.tell(counter({ name: metrics.usageOutput, unit: "{token}", value: outputTokens }, unknown));
		if (cachedInputTokens !== undefined)
			this.tell(counter({ name: metrics.usageCacheRead, unit: "{token}", value: cachedInputTokens }, unknown));
		if (reasoningTokens !== undefined)
			this.tell(counter({ name: metrics.usageReasoning, unit: "{token}", value: reasoningTokens }, unknown));
		this.tell(histogram({ name: metrics.inputPerOperation, unit: "{token}", value: inputTokens }, about));
		this.tell(histogram({ name: metrics.outputPerOperation, unit: "{token}", value: outputTokens }, about));
	}

	/** `failed`: what kind of failure it was. */
	called(tool: string, ms: number, { outcome, failed }: { readonly outcome: string; readonly failed?: string }): void {
		const about = { [attr.toolName]: tool, ...(failed === undefined ? {} : { [attr.errorType]: failed }) };
		this.tell(
			histogram({ name: metrics.callDuration, unit: "s", value: seconds(ms) }, { ...about, [attr.outcome]: outcome }),
		);
		if (!this.isLatest) return;
		this.tell(
			histogram(
				{ name: metrics.toolDuration, unit: "s", value: seconds(ms) },
				{ [attr.operation]: operations.tool, ...about },
			),
		);
	}

	/** A segment, whose root has these attributes. */
	worked(
		ms: number,
		{ [attr.operation]: operation = "", [attr.agentName]: agent, [attr.errorType]: error }: Attributes,
	): void {
		if (!this.isLatest) return;
		const named = agent === undefined ? {} : { [attr.agentName]: agent };
		const failed = error === undefined ? {} : { [attr.errorType]: error };
		this.tell(
			histogram(
				{ name: metrics.agentDuration, unit: "s", value: seconds(ms) },
				{ [attr.operation]: operation, ...named, ...failed },
			),
		);
	}

	/** More or fewer that wait for people. */
	held(by: 1 | -1, tool: string): void {
		this.tell({
			name: metrics.approvalsOpen,
			instrument: "updown",
			unit: "{approval}",
			value: by,
			attributes: { [attr.toolName]: tool },
		});
	}

	/** From the question to its end. */
	waited(ms: number, about: { readonly tool: string; readonly answer: string }): void {
		const attributes = { [attr.toolName]: about.tool, [attr.answer]: about.answer };
		this.tell(histogram({ name: metrics.approvalWait, unit: "s", value: seconds(ms) }, attributes));
	}

	/** How long what was ready to be gone on with lay there. */
	queued(ms: number, what: "approval" | "timer"): void {
		this.tell(histogram({ name: metrics.queueAge, unit: "s", value: seconds(ms) }, { [attr.queue]: what }));
	}

	committed(ms: number, kind: string): void {
		this.tell(histogram({ name: metrics.commitDuration, unit: "s", value: seconds(ms) }, { [attr.commitKind]: kind }));
	}
}

function chatAttributes({ provider, model }: Named): Attributes {
	return { [attr.operation]: operations.chat, [attr.provider]: provider, [attr.requestModel]: model };
}

/** What kind of end it is, and, where it is a failure, which one. */
export function endOf(outcome: Outcome): { readonly outcome: string; readonly failed?: string } {
	if ("failed" in outcome) return { outcome: "failed", failed: outcome.code };
	if ("denied" in outcome) return { outcome: "denied", failed: "denied" };
	if ("unknown" in outcome) return { outcome: "unknown", failed: "unknown" };
	if ("cancelled" in outcome) return { outcome: "cancelled" };
	return { outcome: "ok" };
}
