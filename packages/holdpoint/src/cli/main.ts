/** The entry of the command line tool. Everything that is heavy is imported by the command that needs it. */
import process from "node:process";
import { shownPath } from "./command-line.ts";
import type { Host } from "./host.ts";
import { runCli } from "./run-cli.ts";

// `holdpoint runs | head` closes the pipe early: that is no failure.
for (const stream of [process.stdout, process.stderr]) {
	stream.on("error", (error: NodeJS.ErrnoException) => {
		if (error.code === "EPIPE") process.exit();
		throw error;
	});
}

const host: Host = {
	env: process.env,
	cwd: process.cwd(),
	stdin: process.stdin,
	stdout: process.stdout,
	stderr: process.stderr,
	command: commandName(process.argv[1] ?? ""),
	entry: process.argv[1] ?? "",
};

function commandName(script: string): string {
	if (script.endsWith(".ts")) return `node ${shownPath(script, process.cwd())}`;
	return process.env["npm_command"] === undefined ? "holdpoint" : "npx holdpoint";
}

const nodeNeeded = 24;
if (Number.parseInt(process.versions.node, 10) < nodeNeeded) {
	process.stderr.write(
		`holdpoint needs Node ${nodeNeeded} or newer; this is ${process.version} (${process.execPath}).\n`,
	);
	process.exit(1);
}

process.exitCode = await runCli(process.argv.slice(2), host);
// Ends by itself within this time, unless a tool left something behind, such as a timer of a call that was given up.
const leftoversMs = 500;
setTimeout(() => process.exit(), leftoversMs).unref();
