import { existsSync } from "node:fs";
import type { Grant, Standing } from "../../spec/governance.ts";
import type { Store } from "../../spec/store.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { commandLine, shownPath } from "../command-line.ts";
import { openInbox, storePath, using } from "../open-harness.ts";
import { dateTime } from "../render/duration.ts";
import { grantLines, switchText } from "../render/grant-text.ts";
import { visibleText } from "../render/safe-text.ts";

/** What people have laid down for every run of this store: standing grants and kill switches. */
export async function grants(invocation: Invocation): Promise<number> {
	const { host, terminal } = invocation;
	const path = storePath(invocation);
	if (!existsSync(path)) {
		const nothing = `Nothing is granted or switched off: there is no store at ${shownPath(path, host.cwd)}.`;
		terminal.answer({ grants: [], switches: [] }, () => [nothing]);
		return exitCodes.done;
	}
	return using(await openInbox(invocation), async ({ harness, store }) => {
		const standing = await harness.governance.standing();
		const all: UsedGrant[] = [];
		for (const grant of standing.grants) all.push({ ...grant, used: await usedOf(store, grant) });
		const { grants: _, ...laid } = standing;
		const { switches } = laid;
		terminal.answer({ grants: all, ...laid }, () => [
			...switches.flatMap((one) => [
				`${terminal.style.red("⏻")} ${switchText(one)}`,
				`  On again with: ${commandLine(invocation, "on", one.of, ...(one.name === "" ? [] : [one.name]))}`,
			]),
			...all.flatMap((grant, at) => [...(at > 0 || switches.length > 0 ? [""] : []), ...lines(invocation, grant)]),
			...(all.length + switches.length === 0 ? ["Nothing is granted, and nothing is switched off."] : []),
			...rulesLines(laid),
		]);
		return exitCodes.done;
	});
}

/** By which policy and budgets calls are decided, as far as the audit log was told. */
function rulesLines({ policy, budgets }: Pick<Standing, "policy" | "budgets">): string[] {
	const since = ({ by, at }: { readonly by: string; readonly at: number }) =>
		`since ${dateTime(at)}, first in a process of ${visibleText(by, 80)}`;
	const refused =
		policy?.refused === undefined ? [] : [`  A change of it cannot be used: ${visibleText(policy.refused, 200)}`];
	const names = budgets?.budgets.map(({ name }) => name).join(", ") || "none";
	return [
		...(policy || budgets ? [""] : []),
		...(policy ? [`policy ${visibleText(policy.version, 200)}, ${since(policy)}`, ...refused] : []),
		...(budgets ? [`budgets ${visibleText(names, 1_000)}, ${since(budgets)}`] : []),
	];
}

interface UsedGrant extends Grant {
	readonly used: number;
}

async function usedOf(store: Store, { id }: Grant): Promise<number> {
	const [account] = await store.accounts({ prefix: `grant:${id}`, limit: 1 });
	return account ? account.spent + account.held : 0;
}

function lines(invocation: Invocation, grant: UsedGrant): string[] {
	const { style } = invocation.terminal;
	const { id, by, approval, at, revoked, used, usesMax } = grant;
	const isUsedUp = usesMax !== undefined && used >= usesMax;
	const people = by.map((one) => `${visibleText(one.id, 80)} (${one.via})`).join(", ");
	return [
		`${revoked || isUsedUp ? style.dim("⊘") : style.green("✓")} ${style.bold(id)} given by ${people} with ${approval}, ${dateTime(at)}`,
		...grantLines(grant, { used: grant.used }).map((line) => `  ${line}`),
		revoked
			? `  revoked by ${visibleText(revoked.by, 80)}, ${dateTime(revoked.at)}`
			: isUsedUp
				? "  used up: it answers nothing any more"
				: `  Take it back with: ${commandLine(invocation, "revoke", id)}`,
	];
}
