import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { OutcomeUnknown } from "../../../tools/outcome-unknown.ts";
import type { ShellChildAnswer, ShellChildOptions } from "./shell-child.ts";
import { type CommandResult, type ConfinementKind, type ShellToolOptions, shellTool } from "./shell-tool.ts";

/** A folder for a test, with one inside that every user may write to. */
export interface ShellScene {
	readonly folder: string;
	readonly desk: string;
	close(): void;
}

export function shellScene(): ShellScene {
	const folder = mkdtempSync(join(tmpdir(), "holdpoint-shell-"));
	chmodSync(folder, 0o755);
	const desk = join(folder, "desk");
	mkdirSync(desk);
	chmodSync(desk, 0o777);
	return { folder, desk, close: () => rmSync(folder, { recursive: true, force: true }) };
}

export type Run = (command: readonly string[], signal?: AbortSignal) => Promise<CommandResult>;
type SceneOptions = Partial<ShellToolOptions> & Pick<ShellToolOptions, "cwd">;

const anyScript = [{ command: ["sh", "-c", "*"] }];

export function shell(options: SceneOptions): Run {
	const { tool } = shellTool({ commands: anyScript, ...options });
	return async (command, signal = new AbortController().signal) => {
		const checked = await tool.input["~standard"].validate({ command });
		if (checked.issues) throw new Error(checked.issues.map(({ message }) => message).join("; "));
		const ids = { run: "r", call: "c", attempt: 1, idempotencyKey: "k", principal: "ann", session: undefined };
		const result: unknown = await tool.execute(checked.value, { ...ids, signal });
		const fit = await tool.output?.["~standard"].validate(result);
		if (fit?.issues) throw new Error(`a result that is none: ${fit.issues.map(({ message }) => message).join("; ")}`);
		return result as CommandResult;
	};
}

/** In this process, or for bubblewrap beside one of root in a harness of its own. */
export function confinedShell(options: SceneOptions): Run {
	return options.confine === "bwrap" && isRoot ? shellElsewhere(options) : shell(options);
}

export const isRoot = process.geteuid?.() === 0;
const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];

/** A harness of its own; for bubblewrap one without root. */
export function harness(options: ShellChildOptions, more: readonly ("ignore" | number)[] = []): ChildProcess {
	const asWhom = isRoot && options.confine === "bwrap" ? nobody : [];
	const [program = "", ...args] = [
		...asWhom,
		process.execPath,
		join(import.meta.dirname, "shell-child.ts"),
		JSON.stringify(options),
	];
	return spawn(program, args, { stdio: ["pipe", "pipe", "inherit", ...more] });
}

/** The same as `shell`, in a harness of its own. */
function shellElsewhere(options: SceneOptions): Run {
	return async (command, signal) => {
		const child = harness({ commands: anyScript, ...options, command });
		signal?.addEventListener("abort", () => child.stdin?.end());
		const { result, error, isUnknown } = JSON.parse(await text(child.stdout as Readable)) as ShellChildAnswer;
		if (result) return result;
		throw isUnknown ? new OutcomeUnknown(error ?? "") : new Error(error);
	};
}

/** Why this machine cannot. */
export function lack(kind: ConfinementKind): string | undefined {
	if (kind === "user") return isRoot ? undefined : "only root can run commands as another user";
	const [program = "", ...args] = [
		...(isRoot ? nobody : []),
		"bwrap",
		"--unshare-all",
		"--ro-bind",
		"/",
		"/",
		process.execPath,
		join(import.meta.dirname, "shell-child.ts"),
		"{}",
	];
	return spawnSync(program, args).status === 0 ? undefined : "no bubblewrap that works, for a user who can read this";
}
