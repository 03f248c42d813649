/**
 * Whether its own approval can lift a policy that asks for one: its conditions are folded with the approval given and
 * with none, and the two are compared. What depends on the call stays as it is.
 */
import type { Expr, PolicyJson } from "./engine.ts";

/** Why the role's approval never lifts the policy; undefined: it does, always or sometimes. */
export function liftProblem(policy: PolicyJson, role: string): string | undefined {
	const without = firesWith(policy, new Set());
	const given = firesWith(policy, new Set([role]));
	if (without === false) return "without an approval it never applies, so that nobody is ever asked";
	if (given === true || JSON.stringify(without) === JSON.stringify(given)) {
		return `the approval of ${role} does not lift it; end it with: unless { context.approvals.contains(H::Role::${JSON.stringify(role)}) }`;
	}
	return undefined;
}

/** A part of a condition: known, or as it stands. */
type Folded = boolean | { readonly left: unknown };

function firesWith({ conditions }: PolicyJson, approvals: ReadonlySet<string>): Folded {
	const parts = conditions.map(({ kind, body }) =>
		kind === "unless" ? not(fold(body, approvals)) : fold(body, approvals),
	);
	return parts.reduce(and, true);
}

type Binary = { readonly left: Expr; readonly right: Expr };

function fold(expr: Expr, approvals: ReadonlySet<string>): Folded {
	const [operator, operand] = Object.entries(expr)[0] as [string, never];
	const side = (name: keyof Binary): Folded => fold((operand as Binary)[name], approvals);
	switch (operator) {
		case "Value":
			return typeof operand === "boolean" ? operand : { left: expr };
		case "&&":
			return and(side("left"), side("right"));
		case "||":
			return not(and(not(side("left")), not(side("right"))));
		case "!":
			return not(fold((operand as { arg: Expr }).arg, approvals));
		case "isEmpty":
			return isApprovals((operand as { arg: Expr }).arg) ? approvals.size === 0 : within(expr, approvals);
		case "contains":
		case "containsAll":
		case "containsAny":
			return containsFolded(operator, operand, approvals) ?? within(expr, approvals);
		case "if-then-else":
			return ifFolded(operand, approvals);
		default:
			return within(expr, approvals);
	}
}

function ifFolded(operand: { if: Expr; then: Expr; else: Expr }, approvals: ReadonlySet<string>): Folded {
	const condition = fold(operand.if, approvals);
	if (typeof condition === "boolean") return fold(condition ? operand.then : operand.else, approvals);
	return { left: ["if", condition, fold(operand.then, approvals), fold(operand.else, approvals)] };
}

function containsFolded(operator: string, { left, right }: Binary, approvals: ReadonlySet<string>): Folded | undefined {
	if (!isApprovals(left)) return undefined;
	const wanted = operator === "contains" ? [right] : (right as { Set?: readonly Expr[] }).Set;
	const roles = wanted?.map(roleOf);
	if (!roles?.every((role) => role !== undefined)) return undefined;
	return operator === "containsAny"
		? roles.some((role) => approvals.has(role))
		: roles.every((role) => approvals.has(role));
}

function isApprovals(expr: Expr): boolean {
	const access = (expr as { "."?: { left: Expr; attr: string } })["."];
	return access?.attr === "approvals" && (access.left as { Var?: string }).Var === "context";
}

function roleOf(expr: Expr): string | undefined {
	const value = (expr as { Value?: { __entity?: { type: string; id: string } } }).Value;
	return value?.__entity?.type === "H::Role" ? value.__entity.id : undefined;
}

/** Parts of other operators may speak of approvals too. */
function within(expr: unknown, approvals: ReadonlySet<string>): Folded {
	return { left: replaced(expr, approvals) };
}

function replaced(value: unknown, approvals: ReadonlySet<string>): unknown {
	if (typeof value !== "object" || value === null) return value;
	if (isApprovals(value as Expr)) return { approvals: [...approvals] };
	if (Array.isArray(value)) return value.map((item) => replaced(item, approvals));
	return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, replaced(item, approvals)]));
}

function and(one: Folded, other: Folded): Folded {
	if (one === false || other === false) return false;
	if (one === true) return other;
	return other === true ? one : { left: ["&&", one, other] };
}

function not(one: Folded): Folded {
	return typeof one === "boolean" ? !one : { left: ["!", one] };
}
