import type { LanguageModelV3CallOptions, LanguageModelV4CallOptions } from "@ai-sdk/provider";
import type { ModelMessage, ModelRequest } from "../spec/model.ts";

type ModelPart = Exclude<ModelMessage, { role: "system" }>["content"][number];
type Content = Extract<Extract<ModelPart, { type: "tool-result" }>["output"], { type: "content" }>;
type FileData = Extract<ModelPart, { type: "file" }>["data"];
type Refuse = (what: string) => never;

/** The request as a V4 model reads it. */
export function requestForV4(request: ModelRequest, abortSignal: AbortSignal): LanguageModelV4CallOptions {
	const options: LanguageModelV4CallOptions = { ...request.settings, prompt: request.prompt, abortSignal };
	if (request.tools !== undefined && request.tools.length > 0) {
		options.tools = request.tools as NonNullable<LanguageModelV4CallOptions["tools"]>;
		if (request.toolChoice !== undefined) options.toolChoice = request.toolChoice;
	}
	if (request.responseFormat !== undefined) options.responseFormat = request.responseFormat;
	return options;
}

/**
 * The request as a V3 model reads it: the same but for files, and without what V3 has no word for (`reasoning` of the
 * settings, blocks that only their provider understands).
 */
export function requestForV3(options: LanguageModelV4CallOptions, refuse: Refuse): LanguageModelV3CallOptions {
	const { reasoning: _, prompt, ...rest } = options;
	return { ...rest, prompt: prompt.map((message) => messageForV3(message, refuse)) } as LanguageModelV3CallOptions;
}

function messageForV3(message: ModelMessage, refuse: Refuse): unknown {
	if (message.role === "system") return message;
	const parts = message.content as readonly ModelPart[];
	if (!parts.some((part) => differsInV3.has(part.type))) return message;
	return { ...message, content: parts.flatMap((part) => partForV3(part, refuse)) };
}

const differsInV3: ReadonlySet<string> = new Set(["file", "custom", "reasoning-file", "tool-result"]);

function partForV3(part: ModelPart, refuse: Refuse): readonly unknown[] {
	switch (part.type) {
		case "custom":
		case "reasoning-file":
			return [];
		case "file":
			return [{ ...part, data: fileDataForV3(part.data, refuse) }];
		case "tool-result":
			return [part.output.type === "content" ? { ...part, output: contentForV3(part.output, refuse) } : part];
		default:
			return [part];
	}
}

function fileDataForV3(data: FileData, refuse: Refuse): unknown {
	switch (data.type) {
		case "data":
			return data.data;
		case "url":
			return data.url;
		case "text":
			return new TextEncoder().encode(data.text);
		case "reference":
			return refuse("a file that lies with the provider cannot be sent to a V3 model");
	}
}

function contentForV3(output: Content, refuse: Refuse): unknown {
	const value = output.value.map((part) => {
		if (part.type !== "file") return part;
		const { data, ...rest } = part;
		switch (data.type) {
			case "data":
				return { ...rest, type: "file-data", data: base64(data.data) };
			case "url":
				return { ...rest, type: "file-url", url: String(data.url) };
			case "text":
				return { type: "text", text: data.text };
			case "reference":
				return { ...rest, type: "file-id", fileId: data.reference };
			default:
				return refuse("a file of an unknown kind cannot be sent to a V3 model");
		}
	});
	return { ...output, value };
}

function base64(data: string | Uint8Array): string {
	return typeof data === "string"
		? data
		: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
}
