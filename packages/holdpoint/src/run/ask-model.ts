import { callModel } from "../model/call-model.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { ModelAnswer, ModelRequest } from "../spec/model.ts";
import { foreignLabel } from "./label-results.ts";
import type { Segment } from "./segment.ts";

/** Asks the model once and writes down its answer, or that it is to be asked later. */
export async function askModel(segment: Segment): Promise<void> {
	const { state, ready, ports } = segment;
	if (!ready.model) {
		throw new HoldpointError("model.missing", `Agent ${ready.agent.name} has no model`, {
			details: { run: state.run },
		});
	}
	const began = ports.clock.now();
	const heard = state.messages.length;
	const asked: Asked = { model: "middleware" };
	let answer: ModelAnswer;
	try {
		answer = await throughMiddleware(segment, asked, requestOf(segment));
	} catch (error) {
		if (state.cancel) return;
		if (error instanceof AskLater) return setTimer(segment, error);
		throw error;
	}
	// Cancelled, and over: it came after the grace.
	if (state.finished) return;
	const { content, finish, usage, dropped } = answer;
	const unheard = state.messages.length - heard;
	segment.emit({
		type: "model.answered",
		content,
		finish,
		usage,
		ms: ports.clock.now() - began,
		...(unheard > 0 ? { unheard } : {}),
		// It rests on what it cites, though no call of the provider's tools may be shown.
		...(state.started?.labels && dropped?.includes("source") ? { label: foreignLabel } : {}),
		...(asked.model === state.model ? {} : { model: asked.model }),
	});
}

function requestOf(segment: Segment): ModelRequest {
	const { state, ready } = segment;
	const { agent } = ready;
	return {
		// Copied in one piece: element by element, long conversations would cost the square of their turns.
		prompt: [ready.system].concat(state.messages),
		...(ready.modelTools.length > 0 ? { tools: ready.modelTools } : {}),
		...(agent.settings ? { settings: agent.settings } : {}),
		...(agent.output ? { responseFormat: { type: "json", schema: agent.output.json as never } } : {}),
	};
}

/** Carries "ask again in a while" out through the middleware: a durable wait instead of an idle process. */
class AskLater extends Error {
	readonly dueInMs: number;
	readonly reason: string;
	constructor(dueInMs: number, reason: string) {
		super(reason);
		this.dueInMs = dueInMs;
		this.reason = reason;
	}
}

/** Who answered. */
interface Asked {
	model: string;
}

function throughMiddleware(segment: Segment, asked: Asked, request: ModelRequest): Promise<ModelAnswer> {
	const onion = segment.ready.agent.middleware.filter((layer) => layer.model);
	const layer = (index: number, inner: ModelRequest): Promise<ModelAnswer> => {
		const outer = onion[index];
		if (!outer?.model) return callOnce(segment, asked, inner);
		return outer.model(inner, (changed) => layer(index + 1, changed), segment.info);
	};
	return layer(0, request);
}

async function callOnce(segment: Segment, asked: Asked, request: ModelRequest): Promise<ModelAnswer> {
	const { ready, ports, onDelta } = segment;
	if (!ready.model) throw new HoldpointError("model.missing", `Agent ${ready.agent.name} has no model`);
	const result = await callModel(ready.model, request, {
		limits: ready.limits,
		clock: ports.clock,
		random: ports.random,
		signal: segment.abort.signal,
		...(onDelta ? { onDelta } : {}),
	});
	if (result.kind === "later") throw new AskLater(result.dueInMs, result.reason);
	asked.model = `${ready.model.provider}/${ready.model.modelId}`;
	return result.answer;
}

function setTimer(segment: Segment, later: AskLater): void {
	if (segment.state.timers >= segment.ready.limits.modelWaitsMax) {
		const message = `The model asked for patience ${segment.state.timers} times in a row (modelWaitsMax): ${later.reason}`;
		throw new HoldpointError("model.unavailable", message, { details: { run: segment.state.run } });
	}
	const timer = `t${segment.state.turns}.${segment.state.timers + 1}`;
	segment.emit({ type: "timer.set", timer, dueAt: segment.ports.clock.now() + later.dueInMs, why: later.reason });
}
