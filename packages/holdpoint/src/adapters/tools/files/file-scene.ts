import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Tool, ToolContext } from "../../../spec/tool.ts";

/** A folder for a test, with a desk inside and something outside that nobody may reach. */
export interface FileScene {
	readonly folder: string;
	readonly desk: string;
	/** Writes a file below the folder. */
	put(path: string, text: string | Uint8Array): void;
	close(): void;
}

export function fileScene(): FileScene {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-files-"));
	const put = (path: string, text: string | Uint8Array): void => {
		mkdirSync(dirname(join(folder, path)), { recursive: true });
		writeFileSync(join(folder, path), text);
	};
	put("outside/secret.txt", "the secret\n");
	put("desk/notes/a.md", "one\ntwo\nthree\n");
	return { folder, desk: join(folder, "desk"), put, close: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Calls a tool as the harness does: after its schema, and before the one of its result. */
export async function callTool(tools: readonly Tool[], name: string, args: object): Promise<unknown> {
	const tool = tools.find((each) => each.name === name);
	if (!tool) throw new Error(`there is no tool ${name}`);
	return execute(tool, args);
}

export async function execute(tool: Tool, args: object, signal?: AbortSignal): Promise<unknown> {
	const checked = await tool.input["~standard"].validate(args);
	if (checked.issues) throw new Error(checked.issues.map(({ message }) => message).join("; "));
	const result: unknown = await tool.execute(checked.value, toolContext(signal));
	const fit = await tool.output?.["~standard"].validate(result);
	if (fit?.issues) throw new Error(`a result that is none: ${fit.issues.map(({ message }) => message).join("; ")}`);
	return result;
}

export function toolContext(signal: AbortSignal = new AbortController().signal): ToolContext {
	const ids = { run: "r", call: "c", attempt: 1, idempotencyKey: "k", principal: "ann", session: undefined };
	return { ...ids, signal };
}
