import { isRecord, schemaRefs } from "../kit/json-schema-refs.ts";
import { HoldpointError } from "../spec/errors.ts";
import type { JsonSchema } from "../spec/json.ts";
import type { Mark, Marks } from "../spec/marks.ts";

/** The keyword of a schema that says so; zod writes it where `.meta({ sensitive: "personal" })` says it. */
const keyword = "sensitive";
/** A schema that goes deeper, or leads back to itself, is marked as a whole from here on. */
const depthMax = 12;
const placesMax = 2_000;
const joiners = ["allOf", "anyOf", "oneOf"] as const;
const conditions = ["if", "then", "else", "not"] as const;

/**
 * Which places of a value a schema marks as secret or personal; undefined: none.
 * Errors: `tool.invalid` for a mark that is none: one that is misspelt would protect nothing.
 */
export function marksOf(schema: JsonSchema | undefined, what: string): Marks | undefined {
	if (!schema || !JSON.stringify(schema).includes(`"${keyword}"`)) return undefined;
	const marks: { [place: string]: Mark } = {};
	const refs = schemaRefs(schema);
	const queue: Place[] = [{ node: schema, path: "", depth: 0 }];
	for (let at = 0; at < queue.length && at < placesMax; at++) {
		const { node, path, depth } = queue[at] as Place;
		if (!isRecord(node)) continue;
		const mark = markOf(node, `${what}${path}`);
		if (mark) marks[path] = stronger(marks[path], mark);
		else if (depth >= depthMax) {
			// Nobody can say what lies below: all of it may be marked.
			if (JSON.stringify(node).includes(`"${keyword}"`) || "$ref" in node) marks[path] = "secret";
		} else queue.push(...below(node, refs).map((child) => ({ ...child, path: path + child.path, depth: depth + 1 })));
	}
	return Object.keys(marks).length > 0 ? marks : undefined;
}

/** Values, not schemas: a key of the same name means nothing there. */
const values: ReadonlySet<string> = new Set(["const", "default", "enum", "examples"]);

/** The schema as the model is shown it: a provider may refuse keywords that it does not know. */
export function withoutMarks<Node>(schema: Node): Node {
	if (Array.isArray(schema)) return schema.map((child: unknown) => withoutMarks(child)) as Node;
	if (!isRecord(schema)) return schema;
	const kept = Object.entries(schema).filter(
		([key, value]) => key !== keyword || (value !== "secret" && value !== "personal"),
	);
	return Object.fromEntries(kept.map(([key, value]) => [key, values.has(key) ? value : withoutMarks(value)])) as Node;
}

interface Place {
	readonly node: unknown;
	/** Shape: a JSON pointer with `*` for any item or any other key. */
	readonly path: string;
	readonly depth: number;
}

function markOf(node: { readonly [key: string]: unknown }, where: string): Mark | undefined {
	const mark = node[keyword];
	if (mark === undefined || mark === false) return undefined;
	if (mark === "secret" || mark === "personal") return mark;
	const shown = JSON.stringify(mark)?.slice(0, 80);
	throw new HoldpointError("tool.invalid", `${where} is marked ${keyword}: ${shown}, which is no mark`, {
		hint: `Marks are "secret" and "personal".`,
	});
}

function stronger(one: Mark | undefined, other: Mark): Mark {
	return one === "secret" ? one : other;
}

type Refs = ReturnType<typeof schemaRefs>;

function below(node: { readonly [key: string]: unknown }, refs: Refs): { node: unknown; path: string }[] {
	const found: { node: unknown; path: string }[] = [];
	const add = (child: unknown, path: string): void => void found.push({ node: child, path });
	const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
	const map = (value: unknown): readonly [string, unknown][] => (isRecord(value) ? Object.entries(value) : []);
	if (typeof node["$ref"] === "string") add(refs(node["$ref"]), "");
	for (const name of joiners) for (const child of list(node[name])) add(child, "");
	for (const name of conditions) add(node[name], "");
	for (const [, child] of map(node["dependentSchemas"])) add(child, "");
	for (const [key, child] of map(node["properties"])) add(child, `/${escaped(key)}`);
	for (const [, child] of map(node["patternProperties"])) add(child, "/*");
	add(node["additionalProperties"], "/*");
	add(node["unevaluatedProperties"], "/*");
	for (const name of ["items", "prefixItems", "additionalItems", "contains"]) {
		for (const child of Array.isArray(node[name]) ? (node[name] as unknown[]) : [node[name]]) add(child, "/*");
	}
	return found;
}

function escaped(key: string): string {
	return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
