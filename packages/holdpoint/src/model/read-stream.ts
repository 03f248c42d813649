import type { ModelAnswer, ModelDelta, ModelRequest } from "../spec/model.ts";
import { AnswerBuilder, AnswerInvalid, isFields, type OpenBlock } from "./answer-builder.ts";
import type { Attempt } from "./attempt.ts";

export type OnDelta = (delta: ModelDelta) => void | PromiseLike<void>;

/** The reader of the deltas failed, not the provider. */
export class ReaderFailed extends Error {
	constructor(cause: unknown) {
		super("the reader of the answer failed", { cause });
		this.name = "ReaderFailed";
	}
}

export interface StreamReading {
	readonly request: ModelRequest;
	readonly attempt: Attempt;
	readonly bytesMax: number;
	readonly onDelta: OnDelta;
}

type Fields = { readonly [name: string]: unknown };

/**
 * Reads a provider's stream to its end and hands its pieces on, one at a time: the next one is not read before the
 * reader of the deltas took this one.
 *
 * Errors: `AnswerInvalid`, `ReaderFailed`, and whatever the provider reports.
 */
export async function readStream(stream: unknown, reading: StreamReading): Promise<ModelAnswer> {
	if (!isFields(stream) || typeof stream.getReader !== "function") {
		throw new AnswerInvalid("the model gave no readable stream");
	}
	const reader = (stream as unknown as ReadableStream<unknown>).getReader();
	const { attempt } = reading;
	const cancel = () => reader.cancel().catch(() => {});
	attempt.onStop = cancel;
	const collector = new StreamCollector(reading);
	try {
		while (!attempt.over) {
			const { done, value } = await reader.read();
			if (done) break;
			const delta = collector.take(value);
			if (delta !== undefined) await deliver(delta, reading);
		}
		return collector.finish();
	} catch (error) {
		cancel();
		throw error;
	}
}

/** No promise is made, and none awaited, for a reader that takes the delta at once. */
function deliver(delta: ModelDelta, { attempt, onDelta }: StreamReading): Promise<void> | undefined {
	if (attempt.over) return undefined;
	try {
		const wait = onDelta(delta);
		if (wait === undefined) return undefined;
		return attempt.hold(wait).catch((cause: unknown) => {
			throw new ReaderFailed(cause);
		});
	} catch (cause) {
		throw new ReaderFailed(cause);
	}
}

/** Puts the parts of one stream together. */
class StreamCollector {
	readonly #request: ModelRequest;
	readonly #builder: AnswerBuilder;
	readonly #texts = new Map<unknown, OpenBlock>();
	readonly #reasonings = new Map<unknown, OpenBlock>();
	readonly #toolNames = new Map<unknown, string>();
	#end: Fields | undefined;

	constructor(reading: StreamReading) {
		this.#request = reading.request;
		this.#builder = new AnswerBuilder(reading.bytesMax);
	}

	/** Takes one part in; gives the delta that it means, if it means one. */
	take(part: unknown): ModelDelta | undefined {
		if (!isFields(part)) throw new AnswerInvalid("a part of the stream is not an object");
		switch (part.type) {
			case "text-start":
				return this.#open("text", this.#texts, part);
			case "reasoning-start":
				return this.#open("reasoning", this.#reasonings, part);
			case "text-delta":
				return this.#append("text", this.#texts, part);
			case "reasoning-delta":
				return this.#append("reasoning", this.#reasonings, part);
			case "text-end":
				return this.#close(this.#texts, part);
			case "reasoning-end":
				return this.#close(this.#reasonings, part);
			case "tool-input-start":
				this.#toolNames.set(part.id, String(part.toolName));
				return undefined;
			case "tool-input-delta":
				return this.#callDelta(part);
			case "finish":
				this.#end = part;
				return undefined;
			case "error":
				throw part.error;
			case "tool-input-end":
			case "stream-start":
			case "response-metadata":
			case "raw":
			case "ping":
				return undefined;
			default:
				this.#builder.add(part);
				return undefined;
		}
	}

	finish(): ModelAnswer {
		if (this.#end === undefined) throw new AnswerInvalid("the stream ended before the answer did");
		return this.#builder.finish(this.#end.finishReason, this.#end.usage, this.#request);
	}

	#open(type: OpenBlock["type"], open: Map<unknown, OpenBlock>, part: Fields): undefined {
		open.set(part.id, this.#builder.open(type, "", part.providerMetadata));
	}

	#append(type: OpenBlock["type"], open: Map<unknown, OpenBlock>, part: Fields): ModelDelta | undefined {
		const text = deltaOf(part);
		let block = open.get(part.id);
		if (block === undefined) {
			block = this.#builder.open(type, "", undefined);
			open.set(part.id, block);
		}
		this.#builder.append(block, text);
		this.#builder.describe(block, part.providerMetadata);
		return text === "" ? undefined : { type: `${type}.delta`, text };
	}

	#close(open: Map<unknown, OpenBlock>, part: Fields): undefined {
		const block = open.get(part.id);
		if (block !== undefined) this.#builder.describe(block, part.providerMetadata);
		open.delete(part.id);
	}

	#callDelta(part: Fields): ModelDelta | undefined {
		const text = deltaOf(part);
		this.#builder.count(text);
		const toolName = this.#toolNames.get(part.id);
		if (text === "" || toolName === undefined) return undefined;
		return { type: "call.delta", toolCallId: String(part.id), toolName, text };
	}
}

function deltaOf(part: Fields): string {
	if (typeof part.delta === "string") return part.delta;
	throw new AnswerInvalid(`\`delta\` of a ${String(part.type)} part is ${typeof part.delta} and not a string`);
}
