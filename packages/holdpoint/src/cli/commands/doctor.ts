import { sqliteStore } from "../../adapters/stores/sqlite.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { checkConfigFile } from "../doctor/check-config.ts";
import { checkKeys } from "../doctor/check-keys.ts";
import { checkNode, checkPlatform } from "../doctor/check-machine.ts";
import { checkModels } from "../doctor/check-models.ts";
import { checkSandboxes } from "../doctor/check-sandbox.ts";
import { checkStore } from "../doctor/check-store.ts";
import { checkSwitches } from "../doctor/check-switches.ts";
import type { Finding } from "../doctor/finding.ts";
import type { Host } from "../host.ts";
import { configPath } from "../load-config.ts";
import { storePath } from "../open-harness.ts";
import type { Style } from "../render/style.ts";
import { padEnd, wrap } from "../render/text-width.ts";

/** Looks at everything that runs need, and says how to mend what is missing. */
export async function doctor(invocation: Invocation): Promise<number> {
	const { host, terminal } = invocation;
	const store = storePath(invocation);
	const findings: Finding[] = [
		checkNode(),
		checkPlatform(),
		checkStore(store),
		await checkKeysOf(host.env, store),
		...(await checkSandboxes(host.env["HOLDPOINT_SANDBOX"])),
		checkModels(host.env),
		await checkConfigFile(configPath(invocation), store),
		...[(await checkSwitches(store)) ?? []].flat(),
	];
	const isWell = findings.every(({ state }) => state !== "bad");
	terminal.answer({ ok: isWell, findings }, () => [
		...findings.flatMap((finding) => findingLines(finding, terminal.style, terminal.width)),
		"",
		isWell
			? `${terminal.style.green("✓")} Everything that is needed works.`
			: `${terminal.style.red("✗")} Something that is needed does not work; see above.`,
	]);
	return isWell ? exitCodes.done : exitCodes.failed;
}

async function checkKeysOf(env: Host["env"], path: string): Promise<Finding> {
	const store = sqliteStore(path, { readOnly: true });
	try {
		return await checkKeys(env, store);
	} finally {
		await store.close();
	}
}

const nameColumns = 15;

function findingLines({ name, state, says, mend }: Finding, style: Style, width: number): string[] {
	const mark = { ok: style.green("✓"), note: style.yellow("○"), bad: style.red("✗") }[state];
	const room = width - nameColumns - 3;
	const [first = "", ...rest] = wrap(says, room);
	const indent = " ".repeat(nameColumns + 3);
	return [
		`${mark} ${style.bold(padEnd(name, nameColumns))} ${first}`,
		...rest.map((line) => indent + line),
		...(mend === undefined ? [] : wrap(`→ ${mend}`, room).map((line) => indent + line)),
	];
}
