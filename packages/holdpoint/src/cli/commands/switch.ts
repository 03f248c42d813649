import { governedAgents } from "../../run/ready-policy.ts";
import type { Switch } from "../../spec/governance.ts";
import { isTeam, type Participant } from "../../spec/team.ts";
import { openToAnswer } from "../answer-all.ts";
import { exitCodes, type Invocation, textOption } from "../command.ts";
import { commandLine } from "../command-line.ts";
import { openInbox, using } from "../open-harness.ts";
import { osApprover } from "../os-user.ts";
import { usageInvalid } from "../parse-arguments.ts";
import { inlineText } from "../render/safe-text.ts";

/** Throws a kill switch: whatever it names is denied from the next decision on, in every run of this store. */
export async function off(invocation: Invocation): Promise<number> {
	const { terminal } = invocation;
	const by = osApprover(invocation);
	const what = switchOf(invocation);
	const reason = textOption(invocation, "reason");
	if (!reason)
		throw usageInvalid("off needs a reason: whoever is stopped by it reads it", 'Such as --reason "it pays twice".');
	return using(await openToAnswer(invocation, { isNeeded: false }), async ({ harness, agents }) => {
		await harness.governance.switchOff({ ...what, reason, by: by.id });
		terminal.answer({ ...what, reason, by, isOff: true }, () => [
			`${terminal.style.red("⏻")} ${nameOf(what)} is switched off by ${by.id} (${by.via}), from the next decision on`,
			...(isUnknown(what, agents)
				? [`  No agent of the config has a ${what.of} of that name: is it spelt right?`]
				: []),
			`  On again with: ${commandLine(invocation, "on", ...invocation.positionals)}`,
		]);
		return exitCodes.done;
	});
}

/** Lets it run again. */
export async function on(invocation: Invocation): Promise<number> {
	const { terminal } = invocation;
	const by = osApprover(invocation);
	const what = switchOf(invocation);
	return using(await openInbox(invocation), async ({ harness }) => {
		const { switches } = await harness.governance.standing();
		const wasOff = switches.some(({ of, name }) => of === what.of && name === what.name);
		await harness.governance.switchOn({ ...what, by: by.id });
		terminal.answer({ ...what, by, isOff: false, wasOff }, () => [
			wasOff
				? `${terminal.style.green("✓")} ${nameOf(what)} is switched on by ${by.id} (${by.via}), from the next decision on`
				: `${nameOf(what)} was not switched off.`,
		]);
		return exitCodes.done;
	});
}

type Named = Pick<Switch, "of" | "name">;

const kinds: readonly Switch["of"][] = ["tool", "agent", "tenant", "all"];

function switchOf({ positionals }: Invocation): Named {
	const [given = "", name = ""] = positionals;
	const of = kinds.find((kind) => kind === given);
	if (!of) throw usageInvalid(`There is no switch of "${inlineText(given, 40)}"`, `Switches: ${kinds.join(", ")}.`);
	if ((of === "all") === (name === "")) return { of, name };
	throw usageInvalid(of === "all" ? "all takes no name" : `Which ${of}? Its name is missing`);
}

function nameOf({ of, name }: Named): string {
	return of === "all" ? "Everything" : `The ${of} ${inlineText(name, 200)}`;
}

/** A switch of a name that nobody has stops nothing. */
function isUnknown({ of, name }: Named, agents: readonly Participant[]): boolean {
	if (agents.length === 0) return false;
	if (of === "agent") return !agents.flatMap(namesIn).includes(name);
	const all = agents.flatMap((agent) => governedAgents(agent, { model: undefined, limits: {} }));
	return of === "tool" && all.every(({ tools }) => tools.every((tool) => tool.name !== name));
}

/** Of agents and of teams, those inside of others included: a switch of any of them stops whoever is in it. */
function namesIn(one: Participant): readonly string[] {
	const below = isTeam(one) ? one.participants : one.tools.flatMap(({ agent }) => (agent as Participant) ?? []);
	return [one.name, ...below.flatMap(namesIn)];
}
