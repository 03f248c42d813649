/** The tools by which an agent of a team hands the work on. Only a call of one does: no text and no result that looks like one. */
import type { JsonSchema } from "../spec/json.ts";
import type { Carry, Edge } from "../spec/team.ts";
import type { Tool } from "../spec/tool.ts";
import { type Field, internalTool } from "./own-tools.ts";

export function handoffTools(handoffs: ReadonlyMap<string, Edge>): Tool[] {
	return [...handoffs].map(([name, { to, description, carry }]) => {
		const when = description ?? `Hands the conversation on to ${to}, who takes over from you.`;
		return internalTool({ name, description: when, input: handoffInput(carry), execute: () => `Handed on to ${to}.` });
	});
}

const carries: readonly Carry[] = ["none", "summary", "results"];
const handoffTextMax = 8_000;

function handoffInput(carry: Carry): Field {
	const text = (description: string) => ({ type: "string", maxLength: handoffTextMax, description });
	const allowed = carries.slice(0, carries.indexOf(carry) + 1);
	const schema: JsonSchema = {
		type: "object",
		properties: {
			reason: text("Why the other one is to take over."),
			summary: text("What the other one has to know, and has not read."),
			carry: { enum: allowed, description: "What it is told beside the conversation. Default: all of that." },
		},
		required: ["reason"],
		additionalProperties: false,
	};
	const validate = (value: unknown) => {
		const problem = handoffProblem(value, allowed);
		return problem === undefined ? { value } : { issues: [{ message: problem }] };
	};
	return { schema, input: { "~standard": { version: 1, vendor: "holdpoint", validate } } };
}

function handoffProblem(value: unknown, allowed: readonly Carry[]): string | undefined {
	if (typeof value !== "object" || value === null || Array.isArray(value)) return "it must be an object with a reason";
	const { reason, summary, carry, ...others } = value as Record<string, unknown>;
	const [other] = Object.keys(others);
	if (other !== undefined) return `${other.slice(0, 80)} is not known: it has reason, summary and carry`;
	if (typeof reason !== "string" || reason.trim() === "") return "reason must be a text that says why";
	if (summary !== undefined && typeof summary !== "string") return "summary must be a text";
	if (reason.length > handoffTextMax || (summary?.length ?? 0) > handoffTextMax)
		return `a text has at most ${handoffTextMax} characters`;
	if (carry !== undefined && !allowed.includes(carry as Carry)) return `carry must be one of ${allowed.join(", ")}`;
	return undefined;
}
