import type { Json, JsonObject } from "../spec/json.ts";
import type { AnswerPart, ModelAnswer, ModelFinish, ModelRequest, ProviderPart, ToolCallPart } from "../spec/model.ts";
import { readUsage } from "./usage.ts";

/** The provider answered, and what it answered cannot be used. */
export class AnswerInvalid extends Error {
	constructor(message: string, options?: ErrorOptions) {
		super(message, options);
		this.name = "AnswerInvalid";
	}
}

/** A block of text that grows while its stream goes on. */
export interface OpenBlock {
	readonly type: "text" | "reasoning";
	text: string;
	providerMetadata?: Metadata;
}

type Metadata = { readonly [provider: string]: JsonObject };
type Fields = { readonly [name: string]: unknown };

/** What a part costs beyond its text, so that empty parts have an end too. */
const partBytes = 32;
/** Blocks that tell how an answer goes and are no part of it. */
const notices: ReadonlySet<unknown> = new Set(["anthropic.message_start"]);
const finishes: ReadonlySet<string> = new Set<ModelFinish>([
	"stop",
	"length",
	"tool-calls",
	"content-filter",
	"error",
	"other",
]);

/**
 * Makes our answer of the parts of a provider, whole ones or streamed ones.
 *
 * Owns: what is kept, that it is plain JSON, that call ids are unique, that the answer stays within its bytes.
 * Does not own: whether a call's arguments make sense, nor which tools exist.
 */
export class AnswerBuilder {
	readonly #bytesMax: number;
	readonly #parts: (AnswerPart | OpenBlock)[] = [];
	#bytes = 0;
	#callIds: Set<string> | undefined;
	#dropped: Set<string> | undefined;

	constructor(bytesMax: number) {
		this.#bytesMax = bytesMax;
	}

	/** Errors: `AnswerInvalid` where a part is unusable; a part of an unknown kind is dropped. */
	add(part: unknown): void {
		if (!isFields(part)) throw new AnswerInvalid(`a part of the answer is ${typeName(part)} and not an object`);
		switch (part.type) {
			case "text":
			case "reasoning":
				return void this.open(part.type, text(part, "text"), part.providerMetadata);
			case "tool-call":
				return this.#push(this.#toolCall(part));
			case "tool-result":
				return part.preliminary === true ? undefined : this.#push(this.#providerResult(part));
			case "custom":
				return notices.has(part.kind) ? undefined : this.#push(this.#custom(part));
			default:
				this.#dropped ??= new Set();
				if (this.#dropped.size < 16) this.#dropped.add(String(part.type).slice(0, 64));
		}
	}

	/** Begins a block of text at this place of the answer. */
	open(type: OpenBlock["type"], start: string, providerMetadata: unknown): OpenBlock {
		const block: OpenBlock = { type, text: start };
		this.#grow(partBytes + Buffer.byteLength(start));
		this.describe(block, providerMetadata);
		this.#parts.push(block);
		return block;
	}

	append(block: OpenBlock, more: string): void {
		this.count(more);
		block.text += more;
	}

	/** The provider tells its data about a block at its start, at its end or between: the last one counts. */
	describe(block: OpenBlock, providerMetadata: unknown): void {
		const metadata = this.#metadata(providerMetadata);
		if (metadata !== undefined) block.providerMetadata = metadata;
	}

	/** Counts text that is on its way but not (yet) part of the answer. */
	count(more: string): void {
		this.#grow(Buffer.byteLength(more));
	}

	finish(finishReason: unknown, usage: unknown, request: ModelRequest): ModelAnswer {
		const finish = readFinish(finishReason);
		const content = this.#parts.filter(says) as AnswerPart[];
		if (finish === "error" && content.length === 0) throw new AnswerInvalid("the model stopped with an error");
		const read = readUsage(usage, request, content);
		return this.#dropped === undefined
			? { content, finish, usage: read }
			: { content, finish, usage: read, dropped: [...this.#dropped] };
	}

	#push(part: AnswerPart): void {
		this.#grow(partBytes);
		this.#parts.push(part);
	}

	#toolCall(part: Fields): ToolCallPart {
		const id = name(part, "toolCallId");
		const toolName = name(part, "toolName");
		const input = text(part, "input");
		this.#grow(Buffer.byteLength(id) + Buffer.byteLength(toolName) + Buffer.byteLength(input));
		const toolCallId = this.#uniqueId(id);
		return {
			type: "tool-call",
			toolCallId,
			toolName,
			input,
			...(toolCallId === id ? undefined : { duplicateOf: id }),
			...(part.providerExecuted === true ? { providerExecuted: true } : undefined),
			...this.#sent(part),
		};
	}

	#uniqueId(id: string): string {
		this.#callIds ??= new Set();
		let unique = id;
		for (let n = 2; this.#callIds.has(unique); n++) unique = `${id}_${n}`;
		this.#callIds.add(unique);
		return unique;
	}

	#providerResult(part: Fields): AnswerPart {
		return {
			type: "tool-result",
			toolCallId: name(part, "toolCallId"),
			toolName: name(part, "toolName"),
			result: this.#plain(part.result ?? null, "a provider's tool result") as Json,
			...(part.isError === true ? { isError: true } : undefined),
			...this.#sent(part),
		};
	}

	#custom(part: Fields): ProviderPart {
		return { type: "custom", kind: name(part, "kind") as ProviderPart["kind"], ...this.#sent(part) };
	}

	#sent(part: Fields): { providerMetadata?: Metadata } | undefined {
		const providerMetadata = this.#metadata(part.providerMetadata);
		return providerMetadata === undefined ? undefined : { providerMetadata };
	}

	#metadata(value: unknown): Metadata | undefined {
		return isFields(value) ? (this.#plain(value, "a provider's metadata") as Metadata) : undefined;
	}

	/** A copy that JSON can carry: what is kept must read the same after a restart. */
	#plain(value: unknown, what: string): unknown {
		let json: string;
		try {
			json = JSON.stringify(value) ?? "null";
		} catch (cause) {
			throw new AnswerInvalid(`${what} is not JSON`, { cause });
		}
		this.count(json);
		return JSON.parse(json);
	}

	#grow(bytes: number): void {
		this.#bytes += bytes;
		if (this.#bytes > this.#bytesMax) throw new AnswerInvalid(`the answer has more than ${this.#bytesMax} bytes`);
	}
}

/** An empty block is worth keeping only for the data that the provider wants back. */
function says(part: AnswerPart | OpenBlock): boolean {
	if (part.type !== "text" && part.type !== "reasoning") return true;
	return part.text !== "" || part.providerMetadata !== undefined;
}

/** V3 and V4 say `{unified, raw}`; older ones a bare string. */
function readFinish(finishReason: unknown): ModelFinish {
	const unified = isFields(finishReason) ? finishReason.unified : finishReason;
	if (unified === "interrupted") throw new AnswerInvalid("the answer was cut off before its end");
	return typeof unified === "string" && finishes.has(unified) ? (unified as ModelFinish) : "other";
}

function text(part: Fields, field: string): string {
	const value = part[field];
	if (typeof value === "string") return value;
	throw new AnswerInvalid(`\`${field}\` of a ${String(part.type)} part is ${typeName(value)} and not a string`);
}

function name(part: Fields, field: string): string {
	const value = text(part, field);
	if (value === "") throw new AnswerInvalid(`\`${field}\` of a ${String(part.type)} part is empty`);
	return value;
}

export function isFields(value: unknown): value is Fields {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function typeName(value: unknown): string {
	if (value === null) return "null";
	return Array.isArray(value) ? "an array" : typeof value;
}
