import { realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { limitProblem } from "../../../kit/limit-problem.ts";
import { reasonOf } from "../../../kit/reason-of.ts";
import { AskedCalls } from "../../../policy/asked-calls.ts";
import type { PolicyLike } from "../../../policy/decide.ts";
import { ruledPolicy } from "../../../policy/ruled-policy.ts";
import { defaultShellLimits, type ShellLimits } from "../../../spec/limits.ts";
import type { Policy } from "../../../spec/policy.ts";
import type { Labels, Tool, ToolContext } from "../../../spec/tool.ts";
import { defineTool } from "../../../tools/define-tool.ts";
import { jsonSchema } from "../../../tools/json-schema.ts";
import { OutcomeUnknown } from "../../../tools/outcome-unknown.ts";
import { checkFolder, configPlaces, realPlaces, storePlaces } from "../rooted/forbidden-places.ts";
import { invalid } from "../rooted/root-folder.ts";
import { type CommandRule, CommandRules, notAllowed, shellRules } from "./command-rules.ts";
import { type Confinement, type ConfinementKind, confinement, usualConfinement } from "./confinement.ts";
import { givenEnvironment } from "./given-environment.ts";
import { type CommandResult, runCommand } from "./run-command.ts";
import { keepApart } from "./shells-apart.ts";
import { storesBelow } from "./stores-below.ts";

export type { ShellLimits } from "../../../spec/limits.ts";
export type { CommandRule } from "./command-rules.ts";
export type { ConfinementKind } from "./confinement.ts";
export type { CommandResult } from "./run-command.ts";

export interface ShellToolOptions {
	/** What may be run; anything else is refused. The longest rule that fits a command decides. */
	readonly commands: readonly CommandRule[];
	/** Where commands work, and what they may write to as far as their user may. */
	readonly cwd: string;
	/** Default: `user` for a harness of root, else `bwrap`. */
	readonly confine?: ConfinementKind;
	/** Of `user`. Default: 65530, whom no system gives away. */
	readonly user?: { readonly uid: number; readonly gid: number };
	/** Whether commands reach the network. Default: they do not. `none` keeps nobody from it. */
	readonly hasNetwork?: boolean;
	/** All that commands find in their environment besides PATH, HOME and LANG. */
	readonly env?: Readonly<Record<string, string>>;
	/** Where programs are looked for by name. Default: `/usr/local/bin:/usr/bin:/bin`. */
	readonly searchPath?: string;
	/** Files and folders that no command comes near, besides `.holdpoint` and what HOLDPOINT_STORE names: keys, other stores. */
	readonly forbid?: readonly string[];
	/** Default: nobody's but untrusted, and seen by everyone. */
	readonly labels?: Labels;
	/** Default: `shell`. */
	readonly name?: string;
	readonly limits?: Partial<ShellLimits>;
}

export interface ShellTool {
	/** For the agent. */
	readonly tool: Tool;
	/** How commands are kept apart from the harness. */
	readonly confinement: ConfinementKind;
	/** For the harness: what the rules allow or ask, joined with a policy of your own, which no rule loosens. */
	policy(own?: PolicyLike): Policy;
}

const defaultPath = "/usr/local/bin:/usr/bin:/bin";
const nobodys = 65_530;

/**
 * A tool that runs commands: lists of words, each of which a rule names; never a line for a shell. `destructive`, whatever
 * the command, unless a rule of it says otherwise.
 * Errors: `tool.invalid`, also where commands cannot be kept apart from the harness on this machine.
 */
export function shellTool(options: ShellToolOptions): ShellTool {
	const { name = "shell", labels } = options;
	const what = `shellTool({ cwd: ${JSON.stringify(options.cwd)} })`;
	const problem = limitProblem(options.limits ?? {}, defaultShellLimits);
	if (problem) throw invalid(what, `limits sets ${problem}`);
	const shell = openShell(options, what);
	const { wordsMax, commandTimeoutMs } = shell.limits;
	const tool = defineTool({
		name,
		description: `Runs a program with arguments; no shell syntax. Allowed: ${shell.rules.text || "nothing"}.`,
		effect: "destructive",
		// Its own time is over first, so that it can kill what it started.
		timeoutMs: commandTimeoutMs + killMs,
		...(labels ? { labels } : {}),
		input: jsonSchema<{ command: string[] }>({
			type: "object",
			properties: { command: { type: "array", items: { type: "string" }, minItems: 1, maxItems: wordsMax } },
			required: ["command"],
			additionalProperties: false,
		}),
		output: jsonSchema<CommandResult>({
			type: "object",
			properties: {
				exit: { type: "integer", description: "none: a signal ended it" },
				signal: { type: "string" },
				stdout: { type: "string" },
				stderr: { type: "string" },
				truncated: { type: "boolean" },
			},
			required: ["stdout", "stderr"],
			additionalProperties: false,
		}),
		execute: ({ command }, context) => execute(shell, command, context),
	});
	return {
		tool,
		confinement: shell.confined.kind,
		policy: (own) => ruledPolicy(shellRules(shell.rules, tool, shell.asked), own),
	};
}

const killMs = 5_000;

interface Shell {
	readonly folder: string;
	readonly limits: ShellLimits;
	readonly rules: CommandRules;
	readonly confined: Confinement;
	/** What its launchers find in theirs. */
	readonly env: Readonly<Record<string, string>>;
	readonly asked: AskedCalls;
	/** Whether the folder was looked through for stores deeper in it, before the first command. */
	isLookedThrough: boolean;
}

/** Errors: `tool.invalid`. */
function openShell(options: ShellToolOptions, what: string): Shell {
	const {
		searchPath = defaultPath,
		hasNetwork: network = false,
		user = { uid: nobodys, gid: nobodys },
		env = {},
	} = options;
	const limits = { ...defaultShellLimits, ...options.limits };
	try {
		const folder = realpathSync(options.cwd);
		if (!statSync(folder).isDirectory()) throw new Error(`${folder} is no folder`);
		const stores = storePlaces(folder);
		const forbidden = (options.forbid ?? []).map((place) => resolve(place));
		checkFolder(folder, [...stores, ...forbidden].flatMap(realPlaces));
		const rules = new CommandRules(options.commands, { searchPath, folder });
		const environment = givenEnvironment({ PATH: searchPath, HOME: "/nonexistent", LANG: "C.UTF-8", ...env });
		const confined = confinement({
			kind: options.confine ?? usualConfinement(),
			user,
			network,
			folder,
			stores,
			forbidden,
			kept: configPlaces(),
			limits,
			environment,
		});
		keepApart({ folder, confined, uid: user.uid });
		const asked = new AskedCalls();
		return { folder, limits, rules, confined, env: environment.carried, asked, isLookedThrough: false };
	} catch (error) {
		throw invalid(what, reasonOf(error), error);
	}
}

/** A command that was killed may have done something: nobody knows. */
async function execute(shell: Shell, command: readonly string[], context: ToolContext): Promise<CommandResult> {
	const { limits, rules, folder: cwd, env } = shell;
	const { signal } = context;
	const rule = rules.find(command);
	if (!rule || rule.verdict === "deny") throw new Error(notAllowed(rules));
	if (rule.verdict === "ask" && !shell.asked.has(context)) {
		throw new Error("A rule asks a person about this command, and the harness has no policy() of it");
	}
	const chars = command.reduce((sum, word) => sum + word.length, 0);
	if (chars > limits.commandCharsMax)
		throw new Error(`The command has ${chars} characters; the limit is ${limits.commandCharsMax}`);
	if (command.some((word) => word.includes("\0"))) throw new Error("The command has a NUL in it");
	signal.throwIfAborted();
	const { outputBytesMax, commandTimeoutMs: timeoutMs, entriesMax } = limits;
	if (!shell.isLookedThrough && shell.confined.covered) {
		const [store] = await storesBelow(cwd, entriesMax, signal);
		if (store !== undefined) throw new Error(`no command is run: ${deeper(store)}`);
		shell.isLookedThrough = true;
	}
	const words = shell.confined.wrap([rule.executable, ...command.slice(1)]);
	const end = await runCommand(words, { cwd, env, outputBytesMax, timeoutMs, signal });
	if (end.kind === "ended") return end.result;
	if (end.kind === "not-started") throw new Error(`The command was not started: ${end.why}`);
	throw new OutcomeUnknown(`The command was killed because ${end.why}; what it had done by then stands`);
}

function deeper(store: string): string {
	return `there is a store in the agent's folder, ${store}, where a command could exchange it; keep stores in the folder's own .holdpoint, or outside, and remove this one if nobody needs it`;
}
