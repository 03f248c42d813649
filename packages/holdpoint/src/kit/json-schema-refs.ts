import type { JsonSchema } from "../spec/json.ts";

/** A schema or one of the two schemas that are no objects: `true` takes everything, `false` nothing. */
export type SchemaNode = JsonSchema | boolean;

/** Deeper schemas are refused: a bound for every recursion over a schema from outside. */
export const schemaDepthMax = 64;

const indexedMax = 20_000;

/**
 * Finds what a `$ref` names inside its own document: `#`, JSON pointers, `$id`s and `$anchor`s. Nothing is ever fetched;
 * what the document does not hold is undefined.
 */
export function schemaRefs(root: JsonSchema): (ref: string) => SchemaNode | undefined {
	let named: Map<string, JsonSchema> | undefined;
	const rootId = typeof root["$id"] === "string" ? root["$id"] : undefined;
	return (ref) => {
		const local = rootId !== undefined && ref.startsWith(`${rootId}#`) ? ref.slice(rootId.length) : ref;
		if (local === "#" || local === rootId) return root;
		if (local.startsWith("#/")) return followPointer(root, local.slice(2));
		named ??= indexNames(root);
		return named.get(local);
	};
}

export function isSchemaNode(value: unknown): value is SchemaNode {
	return typeof value === "boolean" || isRecord(value);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function followPointer(root: JsonSchema, pointer: string): SchemaNode | undefined {
	let at: unknown = root;
	for (const step of pointer.split("/")) {
		const key = unescapeStep(step);
		if (typeof at !== "object" || at === null || key === undefined || !Object.hasOwn(at, key)) return undefined;
		at = (at as Readonly<Record<string, unknown>>)[key];
	}
	return isSchemaNode(at) ? at : undefined;
}

function unescapeStep(step: string): string | undefined {
	try {
		return decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~");
	} catch {
		return undefined;
	}
}

function indexNames(root: JsonSchema): Map<string, JsonSchema> {
	const named = new Map<string, JsonSchema>();
	const queue: { node: unknown; depth: number }[] = [{ node: root, depth: 0 }];
	for (let i = 0; i < queue.length && i < indexedMax; i++) {
		const { node, depth } = queue[i] as { node: unknown; depth: number };
		if (typeof node !== "object" || node === null || depth > schemaDepthMax) continue;
		if (isRecord(node)) nameNode(named, node as JsonSchema);
		for (const child of Object.values(node)) queue.push({ node: child, depth: depth + 1 });
	}
	return named;
}

function nameNode(named: Map<string, JsonSchema>, node: JsonSchema): void {
	const id = node["$id"];
	const anchor = node["$anchor"];
	// The first one counts, so that a later part of the document cannot take a name over.
	if (typeof id === "string" && !named.has(id)) named.set(id, node);
	if (typeof anchor === "string" && !named.has(`#${anchor}`)) named.set(`#${anchor}`, node);
}
