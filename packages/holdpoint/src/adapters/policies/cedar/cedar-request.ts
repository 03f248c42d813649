/**
 * A call as Cedar sees it. The types drive it: only what the schema names is sent, and what does not fit it is an error
 * here, before Cedar checks it once more.
 */
import type { Json } from "../../../spec/json.ts";
import type { PolicyRequest } from "../../../spec/policy.ts";
import type { FieldType } from "./field-type.ts";
import { actionOf, type GovernedTool } from "./tool-schema.ts";

export interface CedarRequest {
	readonly principal: EntityId;
	readonly action: EntityId;
	readonly resource: EntityId;
	readonly context: { readonly [name: string]: Json };
}

interface EntityId {
	readonly type: string;
	readonly id: string;
}

/** A value that Cedar cannot be told of: the call is denied. */
export class Unfit extends Error {}

/** Errors: `Unfit`. The order of keys is that of the types, so that equal calls are equal texts. */
export function cedarRequest(request: PolicyRequest, tool: GovernedTool): CedarRequest {
	const { agent, tenant, depth, provenance, label, budgets, args } = request;
	const { name, version, effect, tags, labels } = request.tool;
	const context = {
		user: request.principal,
		tenant,
		session: request.session,
		depth,
		provenance: { via: provenance.via, path: provenance.path ?? [] },
		tool: {
			name,
			version,
			effect,
			tags,
			// A missing label is the worst label.
			integrity: labels?.integrity ?? "untrusted",
			readers: labels?.readers ?? ["principal"],
			audience: labels?.audience ?? ["everyone"],
			declassifies: labels?.declassifies ?? false,
		},
		label: {
			untrusted: label?.untrusted !== undefined,
			assumed: label?.assumed ?? false,
			readers: label?.readers,
		},
		budgets,
		args,
	};
	return {
		principal: { type: "H::Agent", id: wellFormed(agent, "the agent's name") },
		action: { type: "H::Action", id: actionOf(name) },
		resource: { type: "H::Tenant", id: wellFormed(tenant ?? "", "the tenant") },
		context: { ...(encoded(tool.context, context, "context") as { [name: string]: Json }), approvals: [] },
	};
}

/** The same call, with these roles among its approvals. */
export function withApprovals(request: CedarRequest, roles: readonly string[]): CedarRequest {
	const approvals = roles.map((id) => ({ type: "H::Role", id }));
	return { ...request, context: { ...request.context, approvals } };
}

function encoded(type: FieldType, value: unknown, path: string): Json {
	switch (type.type) {
		case "String":
			return wellFormed(value, path);
		case "Long":
			// Cedar's integers have 64 bits; JavaScript's are exact up to 2^53.
			if (typeof value !== "number" || !Number.isSafeInteger(value)) throw unfit(path, value, "a whole number");
			return value === 0 ? 0 : value;
		case "Boolean":
			if (typeof value !== "boolean") throw unfit(path, value, "a boolean");
			return value;
		case "Set":
			if (!Array.isArray(value)) throw unfit(path, value, "a list");
			return value.map((item, at) => encoded(type.element, item, `${path}[${at}]`));
		case "Record":
			if (typeof value !== "object" || value === null || Array.isArray(value)) throw unfit(path, value, "an object");
			return Object.fromEntries(
				Object.entries(type.attributes).flatMap(([name, attribute]) => {
					const item = Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
					if (item !== undefined) return [[name, encoded(attribute, item, `${path}.${name}`)]];
					if (attribute.required) throw new Unfit(`${path}.${name} is missing`);
					return [];
				}),
			);
	}
}

function wellFormed(value: unknown, path: string): string {
	if (typeof value !== "string") throw unfit(path, value, "a text");
	// Cedar would read another text than the tool.
	if (!value.isWellFormed()) throw new Unfit(`${path} is no valid Unicode`);
	return value;
}

function unfit(path: string, value: unknown, wanted: string): Unfit {
	const kind = Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;
	const shown = typeof value === "number" || value === null ? String(value) : kind;
	return new Unfit(`${path} is ${shown}, where ${wanted} is wanted`);
}
