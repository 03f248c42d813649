/**
 * A harness of its own for one command: of another user, or one that is about to be killed. Argument: its options as JSON;
 * the command is stopped when the input ends. Prints what became of it.
 */
import { isOutcomeUnknown } from "../../../tools/outcome-unknown.ts";
import { type CommandResult, type ShellToolOptions, shellTool } from "./shell-tool.ts";

export interface ShellChildOptions extends ShellToolOptions {
	readonly command: readonly string[];
}

export interface ShellChildAnswer {
	readonly result?: CommandResult;
	readonly error?: string;
	readonly isUnknown?: boolean;
}

const { command, ...options } = JSON.parse(process.argv[2] ?? "{}") as ShellChildOptions;

async function answer(): Promise<ShellChildAnswer> {
	const stop = new AbortController();
	process.stdin.resume().once("end", () => stop.abort());
	const ids = { run: "r", call: "c", attempt: 1, idempotencyKey: "k", principal: "ann", session: undefined };
	try {
		const { tool } = shellTool(options);
		return { result: (await tool.execute({ command }, { ...ids, signal: stop.signal })) as CommandResult };
	} catch (error) {
		return { error: (error as Error).message, isUnknown: isOutcomeUnknown(error) };
	} finally {
		process.stdin.destroy();
	}
}

// Without a command it only shows that it could be started.
if (command) process.stdout.write(JSON.stringify(await answer()));
