import {
	isCedarPolicy,
	type PolicyCheck,
	type PolicyProblem,
	type ToolFacts,
} from "../../adapters/policies/cedar/cedar-policy.ts";
import { counted } from "../../kit/counted.ts";
import { exitCodes, type Invocation } from "../command.ts";
import { duration } from "../render/duration.ts";
import { inlineText, proseText } from "../render/safe-text.ts";
import type { Style } from "../render/style.ts";
import { wrap } from "../render/text-width.ts";
import { ownPolicy } from "./own-policy.ts";

/** Says everything that is wrong with the policy, and what a policy can say of each tool. */
export async function checkPolicy(invocation: Invocation): Promise<number> {
	const { terminal } = invocation;
	const { policy, agents, budgets, labels } = await ownPolicy(invocation);
	if (!isCedarPolicy(policy)) {
		// It throws what is wrong with it.
		await policy.ready?.(agents, { budgets, labels });
		terminal.answer({ ok: true, kind: "other", version: policy.version }, () => [
			`${terminal.style.green("✓")} The policy is no Cedar policy (${inlineText(policy.version, 80)}): there are no texts to check.`,
		]);
		return exitCodes.done;
	}
	const check = await policy.check(agents, { budgets, labels });
	const isWell = check.problems.length === 0 && (check.shadow?.problems.length ?? 0) === 0;
	terminal.answer({ ok: isWell, kind: "cedar", ...check }, () => checkLines(check, terminal));
	return isWell ? exitCodes.done : exitCodes.failed;
}

interface Paper {
	readonly style: Style;
	readonly width: number;
}

function checkLines(check: PolicyCheck, paper: Paper): string[] {
	const { style } = paper;
	const { version, problems, warnings, rules, tools, shadow } = check;
	const verdict =
		problems.length === 0
			? `${style.green("✓")} ${counted(rules.length, "policy", "policies")} fit ${counted(tools.length, "tool", "tools")}  ${style.dim(version ?? "")}`
			: `${style.red("✗")} ${counted(problems.length, "problem", "problems")}: nothing would run`;
	const beside =
		shadow === undefined
			? []
			: shadow.problems.length === 0
				? [`${style.green("✓")} the shadow policy fits, too  ${style.dim(shadow.version ?? "")}`]
				: [`${style.red("✗")} the shadow policy cannot be used:`, ...problemLines(shadow.problems, paper)];
	return [
		...tools.flatMap((tool) => [...toolLines(tool, paper), ""]),
		...rules.map(ruleLine),
		...(rules.length > 0 ? [""] : []),
		...problemLines(problems, paper),
		...warnings.flatMap((warning) =>
			problemLines([warning], paper).map((line) => `${style.yellow("○")} ${line.trim()}`),
		),
		verdict,
		...beside,
	];
}

function toolLines({ name, agents, effects, fields, leftOut, notes }: ToolFacts, { style, width }: Paper): string[] {
	const head = `${style.bold(inlineText(name, 80))}  ${style.dim(`${effects.join(", ")} · ${agents.map((one) => inlineText(one, 60)).join(", ")}`)}`;
	const named = fields.map(
		({ field, type, isOptional }) => `${inlineText(field, 80)}${isOptional ? "?" : ""}: ${type}`,
	);
	const list = named.length > 0 ? `context.args { ${named.join(", ")} }` : "context.args has no fields";
	const line = (mark: string, text: string) =>
		wrap(text, width - 4).map((part, at) => `  ${at === 0 ? mark : " "} ${part}`);
	return [
		head,
		...wrap(list, width - 2).map((part) => `  ${part}`),
		...leftOut.flatMap(({ field, why }) =>
			line(style.yellow("○"), `${inlineText(field, 80)} is left out: ${inlineText(why, 300)}`),
		),
		...notes.flatMap(({ field, why }) => line("·", `${inlineText(field, 80)}: ${inlineText(why, 300)}`)),
	];
}

export function ruleLine({ id, effect, place, approval }: PolicyCheck["rules"][number]): string {
	const people = approval && approval.count > 1 ? `${approval.count} × ${approval.role}` : approval?.role;
	const within = approval?.expiresInMs === undefined ? "" : ` within ${duration(approval.expiresInMs)}`;
	const lifted = people === undefined ? "" : ` · lifted by ${inlineText(people, 80)}${within}`;
	return `  ${effect} ${inlineText(id, 100)}  ${inlineText(place, 200)}${lifted}`;
}

function problemLines(problems: readonly PolicyProblem[], { style, width }: Paper): string[] {
	return problems.flatMap(({ file, line, column, policy, message }) => {
		const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
		const of = policy === undefined ? "" : ` ${inlineText(policy, 100)}`;
		const text = wrap(proseText(message, 1_000), width - 4).map((part) => `    ${part}`);
		return [`  ${style.red("✗")} ${inlineText(place, 200)}${style.dim(of)}`, ...text];
	});
}
