/** What a guest is given: the program with its tools and limits, and the answers to its calls. */
import { HoldpointError } from "../spec/errors.ts";
import { defaultProgramLimits, type ProgramLimits } from "../spec/limits.ts";
import type { Answer, Delivery, ProgramSpec, SandboxProvider } from "../spec/sandbox.ts";
import type { CallState, ProgramState } from "./call-state.ts";
import { failureText } from "./messages.ts";
import { callOf, valueOf } from "./run-state.ts";
import type { Segment } from "./segment.ts";

export function codeOf(call: CallState): string {
	const args = call.args as { readonly code?: string } | undefined;
	return args?.code ?? "";
}

export function programOf(call: CallState): ProgramState {
	if (!call.program) throw new Error(`Holdpoint bug: it should hold that ${call.id} is a started program`);
	return call.program;
}

/** As they were when the program started: it is replayed with what it had, whatever the agent has by now. */
export function limitsOf(segment: Segment, call: CallState): ProgramLimits {
	const { limits } = programOf(call);
	return { ...defaultProgramLimits, ...(limits ?? segment.readyOf(call.thread).agent.programs?.limits) };
}

/** Without a program: the harness's own. With one: that which it started in, where this harness still has it. */
export async function sandboxOf(segment: Segment, program?: Pick<ProgramState, "guest">): Promise<SandboxProvider> {
	const { sandbox } = segment.ports;
	if (!sandbox)
		throw new HoldpointError("sandbox.unavailable", "This harness has no sandbox, and its agent writes programs");
	const own = await sandbox();
	const other = own.whenHeld;
	const isOther = typeof other === "object" && program !== undefined && program.guest === other.guest;
	return isOther && own.guest !== other.guest ? other : own;
}

export function specOf(segment: Segment, call: CallState, program: ProgramState): ProgramSpec {
	return {
		source: program.body ?? codeOf(call),
		tools: program.tools ?? [...segment.readyOf(call.thread).programTools],
		seed: program.seed,
		clockMs: program.clock,
		limits: limitsOf(segment, call),
		// One name in two tenants is two principals.
		principal: JSON.stringify([segment.state.started?.tenant ?? null, segment.info.principal]),
	};
}

export function deliveryOf(
	segment: Segment,
	program: ProgramState,
	delivery: { answers: readonly string[]; clock: number },
): Delivery {
	const answers = delivery.answers.map((id) =>
		answerFor(segment, callOf(segment.state, id), program.asks.indexOf(id) + 1),
	);
	return { answers, clockMs: delivery.clock };
}

function answerFor(segment: Segment, child: CallState, n: number): Answer {
	const { outcome } = child;
	if (!outcome || "ok" in outcome || "blob" in outcome) {
		const ok = JSON.stringify(valueOf(segment.state, child));
		return child.edited ? { n, ok, edited: true } : { n, ok };
	}
	const message = failureText(child);
	if ("failed" in outcome) return { n, error: { name: "ToolFailed", message, code: outcome.code } };
	return { n, error: { name: "ToolDenied", message } };
}
