import type { ModelPrompt } from "../spec/model.ts";

/** What the model is asked at one point of its story. */
export interface StoryAsk {
	/** Which answer this is: 0, 1, … */
	readonly n: number;
	readonly messages: ModelPrompt;
	readonly system: string;
	/** Text of the last message of a user. */
	readonly lastUser: string;
	/** What the tools gave since the model's last answer. */
	readonly results: readonly StoryResult[];
	/** Names of the tools that are declared. */
	readonly tools: readonly string[];
	/** All that was said since the model's last answer, as text: what `when` looks at. */
	readonly heard: string;
}

export interface StoryResult {
	readonly toolCallId: string;
	readonly tool: string;
	/** Parsed where it is JSON. */
	readonly value: unknown;
	/** It is not a value but the reason why there is none. */
	readonly failed?: true;
}

/** Text that was said since the model's last answer, or a look at the whole of it. */
export type When = string | RegExp | ((ask: StoryAsk) => boolean);

export type Story = readonly StoryStep[] | ((ask: StoryAsk, n: number) => StoryStep | undefined);

export type StoryStep = AnswerStep | FailureStep;

export interface AnswerStep {
	/** What a mismatch calls it. */
	readonly does: string;
	readonly when?: When;
	answer(ask: StoryAsk): StoryAnswer;
}

/** Not an answer, but what happens before the next one. */
export interface FailureStep {
	readonly does: string;
	/** Reaches the reader before it breaks. */
	readonly text?: string;
	error(): Error;
}

export interface StoryAnswer {
	readonly reasoning?: string;
	readonly text?: string;
	readonly calls?: readonly StoryCall[];
}

export interface StoryCall {
	readonly tool: string;
	readonly args?: unknown;
	/** The arguments as the model writes them, where they are to be no JSON. */
	readonly input?: string;
	/** Default: made of the place in the story. */
	readonly id?: string;
	/** The model makes this tool up: it need not be declared. */
	readonly undeclared?: boolean;
}

export interface StepOptions {
	readonly when?: When;
	readonly reasoning?: string;
}

export interface CallStepOptions extends StepOptions, Pick<StoryCall, "input" | "id" | "undeclared"> {
	/** Said before the call. */
	readonly text?: string;
}

/** A value, or how to make it of what was asked. */
export type Told<T> = T | ((ask: StoryAsk) => T);

/** The tool that runs programs. */
const executeCode = "execute_code";

export function say(text: Told<string>, options: StepOptions = {}): AnswerStep {
	return step(`say(${shown(text)})`, options, (ask) => ({ text: tell(text, ask) }));
}

/** An answer that is JSON, for agents with an output schema. */
export function json(value: Told<unknown>, options: StepOptions = {}): AnswerStep {
	return step(`json(${shown(value)})`, options, (ask) => ({ text: JSON.stringify(tell(value, ask)) ?? "null" }));
}

export function call(tool: string, args: Told<unknown> = {}, options: CallStepOptions = {}): AnswerStep {
	const { text, when: _, reasoning: __, ...rest } = options;
	return step(`call(${JSON.stringify(tool)}, ${shown(args)})`, options, (ask) => ({
		...(text === undefined ? undefined : { text }),
		calls: [{ tool, args: tell(args, ask), ...rest }],
	}));
}

/** Several calls in one answer. */
export function calls(list: Told<readonly StoryCall[]>, options: StepOptions & { text?: string } = {}): AnswerStep {
	const { text } = options;
	return step(`calls(${shown(list)})`, options, (ask) => ({
		...(text === undefined ? undefined : { text }),
		calls: tell(list, ask),
	}));
}

/** Model-written code: a call of `execute_code`. */
export function program(source: Told<string>, options: CallStepOptions = {}): AnswerStep {
	const code = (ask: StoryAsk) => ({ code: tell(source, ask) });
	return { ...call(executeCode, code, options), does: `program(${shown(source)})` };
}

/** The provider answers with this HTTP status. */
export function failing(status: number, headers: { readonly [name: string]: string } = {}): FailureStep {
	const error = () =>
		Object.assign(new Error(`The story fails with status ${status}`), {
			name: "AI_APICallError",
			statusCode: status,
			responseHeaders: headers,
			isRetryable: status === 429 || status >= 500,
		});
	return { does: `failing(${status})`, error };
}

/** The connection breaks; a streamed answer breaks after this text. */
export function breaking(text = ""): FailureStep {
	return { does: `breaking(${shown(text)})`, text, error: () => new TypeError("terminated") };
}

function step(does: string, options: StepOptions, answer: (ask: StoryAsk) => StoryAnswer): AnswerStep {
	const { when, reasoning } = options;
	return {
		does,
		...(when === undefined ? undefined : { when }),
		answer: reasoning === undefined ? answer : (ask) => ({ reasoning, ...answer(ask) }),
	};
}

function tell<T>(told: Told<T>, ask: StoryAsk): T {
	return typeof told === "function" ? (told as (ask: StoryAsk) => T)(ask) : told;
}

function shown(value: unknown): string {
	return clip(typeof value === "function" ? "…" : (JSON.stringify(value) ?? "undefined"), 80);
}

export function clip(text: string, charsMax: number): string {
	return text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;
}
