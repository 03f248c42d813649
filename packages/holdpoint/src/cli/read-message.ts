import type { Input } from "./host.ts";
import { usageInvalid } from "./parse-arguments.ts";

const messageBytesMax = 1_048_576;

/** The message of a command line: `-` stands for standard input. Errors: `usage.invalid`. */
export async function messageOf(input: Input, given: string): Promise<string> {
	return given === "-" ? readAll(input) : given;
}

async function readAll(input: Input): Promise<string> {
	const parts: Uint8Array[] = [];
	let bytes = 0;
	for await (const part of input) {
		const chunk = typeof part === "string" ? Buffer.from(part) : part;
		bytes += chunk.byteLength;
		if (bytes >= messageBytesMax) throw usageInvalid(`Standard input has more than ${messageBytesMax} bytes`);
		parts.push(chunk);
	}
	return Buffer.concat(parts).toString("utf8");
}
