import { grantOf } from "../../grants/grant.ts";
import type { Harness } from "../../run/harness.ts";
import type { GrantTerms } from "../../spec/governance.ts";
import type { Json } from "../../spec/json.ts";
import { answerAll, checkMeant, meantApprovals, openToAnswer } from "../answer-all.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { grantTerms } from "../grant-terms.ts";
import { type Opened, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { grantLines } from "../render/grant-text.ts";
import { jsonText } from "../render/json-text.ts";
import { wrap } from "../render/text-width.ts";
import { rowsOption, rowsText } from "../rows-option.ts";

/** Leaves a yes for held calls. */
export async function approve(invocation: Invocation): Promise<number> {
	const by = osApprover(invocation);
	checkMeant(invocation, "approve");
	const args = jsonOption(invocation, "args");
	const always = grantTerms(invocation);
	const reason = textOption(invocation, "reason");
	const rows = rowsOption(invocation);
	// Other arguments are checked with the tool's schema, which is in the config.
	const opened = await openToAnswer(invocation, { isNeeded: args !== undefined });
	return using(opened, async ({ harness, store, agents }) => {
		const ids = await meantApprovals(invocation, { harness, store });
		if (ids.length !== 1 && (args !== undefined || always || rows))
			throw usageInvalid(
				`--${always ? "always" : rows ? "rows" : "args"} is for one approval at a time`,
				"Name one: its terms are those of one call.",
			);
		if (always && !(await isGrantMeant(invocation, harness, { id: ids[0] ?? "", args, always })))
			return exitCodes.failed;
		const answer = {
			by,
			...(reason ? { reason } : {}),
			...(args === undefined ? {} : { args }),
			...(always ? { always } : {}),
			...(rows ? { rows, rehearsal: textOption(invocation, "seen") ?? "" } : {}),
		};
		return answerAll(invocation, harness, {
			ids,
			answering: {
				by,
				answer: args === undefined ? "approve" : "edit",
				leave: (id, digest) => harness.approve(id, { ...answer, ...(digest === undefined ? {} : { digest }) }),
				lines: (left) => saidLines(invocation, { store, agents }, { ...left, by, args, always, rows }),
			},
		});
	});
}

interface Said {
	readonly run: string;
	readonly approval: string;
	readonly by: { readonly id: string; readonly via: string };
	readonly args: Json | undefined;
	readonly always: GrantTerms | undefined;
	readonly rows: readonly number[] | "all" | undefined;
}

async function saidLines(
	invocation: Invocation,
	{ store, agents }: Pick<Opened, "store" | "agents">,
	{ run, approval, by, args, always, rows }: Said,
): Promise<readonly string[]> {
	const { style, width } = invocation.terminal;
	const agent = args === undefined ? undefined : (await store.load(run, Number.MAX_SAFE_INTEGER))?.head.agent;
	const isChecked = args === undefined || agents.some(({ name }) => name === agent);
	return [
		`${style.green("✓")} ${approval} is approved by ${by.id} (${by.via})${rowsText(rows)}${args === undefined ? "" : " with:"}`,
		...(args === undefined ? [] : wrap(`  ${jsonText(args, 2_000)}`, width)),
		...(isChecked ? [] : ["  Whether they fit the tool is checked when the run goes on: its agent is not known here."]),
		...(always
			? [`  It is granted when the run reads it; then it is listed by: ${commandLine(invocation, "grants")}`]
			: []),
		`  Nothing was executed yet. Go on with: ${commandLine(invocation, "resume", run)}`,
	];
}

interface Meant {
	readonly id: string;
	readonly args: Json | undefined;
	readonly always: GrantTerms;
}

/** Shows in full what would be granted, and asks where somebody sits at the terminal. Errors: `approval.*` come later. */
async function isGrantMeant({ terminal }: Invocation, harness: Harness, { id, args, always }: Meant): Promise<boolean> {
	const [open] = await harness.approvals({ approval: id, limit: 1 });
	if (!open) return true;
	const { tool, agent, principal, run } = open;
	const { started } = (await harness.show(run)).state;
	const call = {
		tool,
		version: "",
		args: args ?? open.args,
		agent,
		principal,
		tenant: started?.tenant,
		session: started?.session?.id,
	};
	const grant = grantOf(always, call, { approval: id, by: [], at: Date.now() });
	terminal.print("From then on this is not asked about any more:", ...grantLines(grant).map((line) => `  ${line}`));
	if (!terminal.isInteractive) return true;
	const { confirm } = await import("@clack/prompts");
	return (await confirm({ message: "Approve, and grant this?" })) === true;
}

/** The value of an option that is JSON. Errors: `usage.invalid`. */
export function jsonOption(invocation: Invocation, name: string): Json | undefined {
	const text = textOption(invocation, name);
	if (text === undefined) return undefined;
	try {
		return JSON.parse(text) as Json;
	} catch {
		throw usageInvalid(`--${name} is no JSON`, `Such as --${name} '{"amountCents": 4200}'.`);
	}
}
