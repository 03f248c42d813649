import { isRecord, type SchemaNode, schemaRefs } from "../kit/json-schema-refs.ts";
import type { JsonSchema } from "../spec/json.ts";
import { isIdentifier, literalText, plainText } from "./tool-text.ts";

export interface TypeOptions {
	/** Descriptions, formats and defaults of properties as comments. */
	readonly comments: boolean;
}

interface TypeText {
	readonly text: string;
	/** A union or an intersection, which needs parentheses inside another type. */
	readonly loose: boolean;
}

/** A type that is too long is written anew, each time less deep. */
const depthsMax = [8, 4, 2, 1];
const typeCharsMax = 8_000;
const nameCharsMax = 200;
const nodesMax = 400;
const propertiesMax = 80;
const enumValuesMax = 40;
const enumCharsMax = 800;
const literalCharsMax = 200;
const noteCharsMax = 120;

const unknownType: TypeText = { text: "unknown", loose: false };
const nullType: TypeText = { text: "null", loose: false };

/** The TypeScript type of what a JSON Schema takes, on one line; `unknown` for what TypeScript cannot say. */
export function schemaType(schema: JsonSchema, options: TypeOptions): string {
	for (const depthMax of depthsMax) {
		const text = new TypeWriter(schema, { ...options, depthMax }).write(schema, 0).text;
		if (text.length <= typeCharsMax) return text;
	}
	return "unknown";
}

class TypeWriter {
	readonly #find: (ref: string) => SchemaNode | undefined;
	readonly #comments: boolean;
	/** What is being written, from the outside in: a ref to one of these is recursion. */
	readonly #open = new Set<unknown>();
	readonly #depthMax: number;
	#nodes = 0;

	constructor(root: JsonSchema, options: TypeOptions & { readonly depthMax: number }) {
		this.#find = schemaRefs(root);
		this.#comments = options.comments;
		this.#depthMax = options.depthMax;
	}

	write(node: unknown, depth: number): TypeText {
		if (node === false) return { text: "never", loose: false };
		if (!isRecord(node) || depth > this.#depthMax || ++this.#nodes > nodesMax || this.#open.has(node))
			return unknownType;
		this.#open.add(node);
		const parts = [this.#ref(node, depth), this.#own(node, depth)];
		for (const part of listOf(node["allOf"])) parts.push(this.write(part, depth + 1));
		for (const keyword of ["anyOf", "oneOf"]) {
			const branches = listOf(node[keyword]);
			if (branches.length > 0) parts.push(union(branches.map((branch) => this.write(branch, depth + 1))));
		}
		this.#open.delete(node);
		const whole = intersection(parts);
		return node["nullable"] === true && whole !== unknownType ? union([whole, nullType]) : whole;
	}

	#ref(node: Node, depth: number): TypeText {
		const target = typeof node["$ref"] === "string" ? this.#find(node["$ref"]) : undefined;
		return target === undefined ? unknownType : this.write(target, depth);
	}

	#own(node: Node, depth: number): TypeText {
		if (node["const"] !== undefined) return literals([node["const"]]);
		if (Array.isArray(node["enum"])) return literals(node["enum"]);
		const types = node["type"] === undefined ? impliedTypes(node) : [node["type"]].flat();
		return types.length === 0 ? unknownType : union(types.map((type) => this.#typed(type, node, depth)));
	}

	#typed(type: unknown, node: Node, depth: number): TypeText {
		switch (type) {
			case "string":
			case "number":
			case "boolean":
			case "null":
				return { text: type, loose: false };
			case "integer":
				return { text: "number", loose: false };
			case "array":
				return this.#array(node, depth);
			case "object":
				return { text: this.#object(node, depth), loose: false };
			default:
				return unknownType;
		}
	}

	#array(node: Node, depth: number): TypeText {
		const places = Array.isArray(node["items"]) ? node["items"] : listOf(node["prefixItems"]);
		const rest = Array.isArray(node["items"]) ? node["additionalItems"] : node["items"];
		const repeated = isRecord(rest) ? `${tight(this.write(rest, depth + 1))}[]` : "unknown[]";
		if (places.length === 0) return { text: repeated, loose: false };
		const items = places.slice(0, propertiesMax).map((place) => this.write(place, depth + 1).text);
		if (isRecord(rest) || items.length < places.length) items.push(`...${repeated}`);
		return { text: `[${items.join(", ")}]`, loose: false };
	}

	#object(node: Node, depth: number): string {
		const properties = isRecord(node["properties"]) ? node["properties"] : {};
		const required = new Set(listOf(node["required"]).filter((name): name is string => typeof name === "string"));
		const names = [...new Set([...Object.keys(properties), ...required])];
		const shown = names.filter((name) => name.length <= nameCharsMax).slice(0, propertiesMax);
		const fields = shown.map((name) => {
			const property = Object.hasOwn(properties, name) ? properties[name] : true;
			const key = isIdentifier(name) ? name : literalText(name);
			return `${this.#note(property)}${key}${required.has(name) ? "" : "?"}: ${this.write(property, depth + 1).text}`;
		});
		const others = this.#others(node, depth);
		if (fields.length === 0)
			return others ?? (node["additionalProperties"] === false ? "{}" : "Record<string, unknown>");
		if (names.length > fields.length) fields.push("[key: string]: unknown");
		const object = `{ ${fields.join("; ")} }`;
		return others && names.length === fields.length ? `${object} & ${others}` : object;
	}

	/** Properties that are known by the type of their value alone. */
	#others(node: Node, depth: number): string | undefined {
		const patterns = isRecord(node["patternProperties"]) ? Object.values(node["patternProperties"]) : [];
		const rest = isRecord(node["additionalProperties"]) ? [node["additionalProperties"]] : [];
		const types = [...patterns, ...rest].map((schema) => this.write(schema, depth + 1));
		return types.length === 0 ? undefined : `Record<string, ${union(types).text}>`;
	}

	#note(property: unknown): string {
		if (!this.#comments || !isRecord(property)) return "";
		const note = plainText(property["description"], noteCharsMax) || plainText(property["format"], noteCharsMax);
		const text = property["default"] === undefined ? "" : literalText(property["default"]);
		const preset = text.length > 0 && text.length <= 30 ? plainText(`default ${text}`, noteCharsMax) : "";
		const whole = [note, note ? preset && `(${preset})` : preset].filter(Boolean).join(" ");
		return whole ? `/** ${whole} */ ` : "";
	}
}

type Node = Readonly<Record<string, unknown>>;

function impliedTypes(node: Node): string[] {
	if (["properties", "required", "additionalProperties", "patternProperties"].some((key) => node[key] !== undefined)) {
		// `required` alone stands in alternatives of an object whose shape is told beside them.
		return isRecord(node["properties"]) || isRecord(node["additionalProperties"]) ? ["object"] : [];
	}
	return node["items"] !== undefined || node["prefixItems"] !== undefined ? ["array"] : [];
}

function literals(values: readonly unknown[]): TypeText {
	const simple = values.every((value) => value === null || ["string", "number", "boolean"].includes(typeof value));
	if (!simple) return unknownType;
	const texts = values.slice(0, enumValuesMax + 1).map(literalText);
	const whole = texts.join(" | ");
	const fits = texts.length <= enumValuesMax && texts.every((text) => text.length <= literalCharsMax);
	if (fits && whole.length <= enumCharsMax) return union(texts.map((text) => ({ text, loose: false })));
	const base = union(values.map((value) => ({ text: value === null ? "null" : typeof value, loose: false })));
	return {
		text: `${base.text} /* one of ${values.length}: ${plainText(texts.join(", "), noteCharsMax)} */`,
		loose: true,
	};
}

function union(types: readonly TypeText[]): TypeText {
	const distinct = new Map(types.map((type) => [type.text, type]));
	if (distinct.has("unknown")) return unknownType;
	if (distinct.size > 1) distinct.delete("never");
	const [only, ...more] = distinct.values();
	if (only === undefined) return unknownType;
	if (more.length === 0) return only;
	// An intersection binds tighter than a union, but parentheses are read sooner.
	return {
		text: [...distinct.values()].map((type) => (type.text.includes(" & ") ? tight(type) : type.text)).join(" | "),
		loose: true,
	};
}

function intersection(types: readonly TypeText[]): TypeText {
	const distinct = new Map(types.map((type) => [type.text, type]));
	distinct.delete("unknown");
	const [only, ...more] = distinct.values();
	if (only === undefined) return unknownType;
	if (more.length === 0) return only;
	return { text: [...distinct.values()].map(tight).join(" & "), loose: true };
}

function tight(type: TypeText): string {
	return type.loose ? `(${type.text})` : type.text;
}

function listOf(value: unknown): readonly unknown[] {
	return Array.isArray(value) ? value : [];
}
