/** One invocation: finds the command, runs it, and turns whatever happens into output and an exit code. */
import { errorCodes, HoldpointError, isHoldpointError } from "../spec/errors.ts";
import { type CommandSpec, exitCodes } from "./command.ts";
import { commands } from "./command-list.ts";
import type { Host } from "./host.ts";
import { nearest, parseArguments, splitCommand, usageInvalid } from "./parse-arguments.ts";
import { inlineText } from "./render/safe-text.ts";
import { reportError } from "./report-error.ts";
import { createTerminal, type Terminal } from "./terminal.ts";

/** Never throws; returns the exit code. */
export async function runCli(argv: readonly string[], host: Host): Promise<number> {
	const terminal = createTerminal(host, {
		isJson: argv.includes("--json"),
		isColourless: argv.includes("--no-color"),
	});
	try {
		return await dispatch(argv, host, terminal);
	} catch (error) {
		terminal.status("");
		return reportError(error, terminal);
	}
}

async function dispatch(argv: readonly string[], host: Host, terminal: Terminal): Promise<number> {
	const { name, rest } = splitCommand(argv);
	if (name === "--version" || name === "-v" || name === "version") return printVersion(terminal);
	if (name === undefined || name === "help" || name === "-h" || name === "--help") {
		return printHelp(terminal, name === "help" ? rest.find((word) => !word.startsWith("-")) : undefined);
	}
	const spec = findCommand(name);
	const { positionals, options } = parseArguments(spec, rest);
	if (options["help"] !== undefined) return printHelp(terminal, spec.name);
	const command = await spec.load();
	try {
		return await command({ host, terminal, positionals, options });
	} catch (error) {
		throw withHelp(error, spec);
	}
}

/** Wrong usage that says no more is a matter of that command's help. */
function withHelp(error: unknown, { name }: CommandSpec): unknown {
	const isBare =
		isHoldpointError(error) && error.code === "usage.invalid" && error.hint === errorCodes[error.code].hint;
	if (!isBare) return error;
	const { code, message, details } = error;
	return new HoldpointError(code, message, { details, cause: error, hint: `Run \`holdpoint ${name} --help\`.` });
}

async function printVersion(terminal: Terminal): Promise<number> {
	const { libraryVersion } = await import("../run/version.ts");
	terminal.answer({ version: libraryVersion, node: process.versions.node }, () => [libraryVersion]);
	return exitCodes.done;
}

async function printHelp(terminal: Terminal, name: string | undefined): Promise<number> {
	const { commandHelp, generalHelp } = await import("./help.ts");
	const lines = name === undefined ? generalHelp(terminal) : commandHelp(findCommand(name), terminal);
	terminal.answer({ help: lines.join("\n") }, () => lines);
	return exitCodes.done;
}

function findCommand(name: string): CommandSpec {
	const found = commands.find((spec) => spec.name === name);
	if (found) return found;
	const names = commands.map((spec) => spec.name);
	const near = nearest(name, names);
	const shown = JSON.stringify(inlineText(name, 60));
	throw usageInvalid(
		`There is no command ${shown}${near ? `; did you mean \`${near}\`?` : ""}`,
		`Commands: ${names.join(", ")}.`,
	);
}
