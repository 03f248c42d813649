import type { AnyNode, ArrayExpression, Node, ObjectExpression } from "acorn";
import { isWhollyKnown, type MaybeJson, PartialArray, PartialObject, unknownValue } from "../kit/maybe-json.ts";

/** What an expression is worth when it is sent as JSON, as far as its text says so; computed parts are unknown. */
export function literalValue(node: AnyNode): MaybeJson {
	switch (node.type) {
		case "Literal":
			return isPlain(node.value) ? node.value : unknownValue;
		case "TemplateLiteral":
			return node.expressions.length === 0 ? (node.quasis[0]?.value.cooked ?? unknownValue) : unknownValue;
		case "UnaryExpression":
			return signed(node.operator, literalValue(node.argument));
		case "ArrayExpression":
			return arrayValue(node);
		case "ObjectExpression":
			return objectValue(node);
		default:
			return unknownValue;
	}
}

/** The part of an expression at a path of its value; the nearest one around it where the text does not hold it. */
export function nodeAt(node: AnyNode, path: readonly (string | number)[]): AnyNode {
	let at = node;
	for (const step of path) {
		const next = at.type === "ObjectExpression" ? propertyOf(at, step)?.value : elementOf(at, step);
		if (!next) return at;
		at = next;
	}
	return at;
}

/** Where the name stands under which an object expression holds the last step of a path. */
export function keyAt(node: AnyNode, path: readonly (string | number)[]): Node {
	const holder = nodeAt(node, path.slice(0, -1));
	const property = holder.type === "ObjectExpression" ? propertyOf(holder, path.at(-1)) : undefined;
	return property?.key ?? holder;
}

function isPlain(value: unknown): value is string | number | boolean | null {
	if (typeof value === "number") return Number.isFinite(value);
	return value === null || typeof value === "string" || typeof value === "boolean";
}

function signed(operator: string, value: MaybeJson): MaybeJson {
	if (typeof value !== "number") return unknownValue;
	return operator === "-" ? -value : operator === "+" ? value : unknownValue;
}

function arrayValue(node: ArrayExpression): MaybeJson {
	const spread = node.elements.findIndex((element) => element?.type === "SpreadElement");
	const elementValue = (element: AnyNode | null) => (element ? literalValue(element) : unknownValue);
	const items = (spread < 0 ? node.elements : node.elements.slice(0, spread)).map(elementValue);
	if (spread < 0 && items.every(isWhollyKnown)) return items;
	const rest =
		spread < 0
			? []
			: node.elements
					.slice(spread)
					.filter((element) => element?.type !== "SpreadElement")
					.map(elementValue);
	return new PartialArray(items, rest, spread < 0);
}

/**
 * A spread and a computed key may overwrite what stands before them, and a value that may be `undefined` may not be
 * there when the object is sent: what is left is certain.
 */
function objectValue(node: ObjectExpression): MaybeJson {
	const entries = new Map<string, MaybeJson>();
	let complete = true;
	for (const property of node.properties) {
		const name = property.type === "Property" && !property.computed ? nameOf(property.key) : undefined;
		// The one changes the prototype, the other what is sent.
		if (name === "__proto__" || name === "toJSON") return unknownValue;
		if (property.type !== "Property" || name === undefined) {
			entries.clear();
			complete = false;
		} else if (property.kind !== "init" || mayBeAbsent(property.value)) {
			entries.delete(name);
			complete = false;
		} else entries.set(name, literalValue(property.value));
	}
	if (!complete || ![...entries.values()].every(isWhollyKnown)) return new PartialObject(entries, complete);
	return Object.assign(Object.create(null), Object.fromEntries(entries)) as MaybeJson;
}

/** JSON drops functions and `undefined`. */
function mayBeAbsent(node: AnyNode): boolean {
	switch (node.type) {
		case "Identifier":
			return node.name === "undefined";
		case "ConditionalExpression":
			return mayBeAbsent(node.consequent) || mayBeAbsent(node.alternate);
		case "LogicalExpression":
			return mayBeAbsent(node.right) || (node.operator === "&&" && node.left.type !== "Literal");
		case "UnaryExpression":
			return node.operator === "void";
		case "ArrowFunctionExpression":
		case "FunctionExpression":
		case "ClassExpression":
			return true;
		default:
			return false;
	}
}

function nameOf(key: AnyNode): string | undefined {
	if (key.type === "Identifier") return key.name;
	return key.type === "Literal" && (typeof key.value === "string" || typeof key.value === "number")
		? String(key.value)
		: undefined;
}

function propertyOf(node: ObjectExpression, step: string | number | undefined) {
	const found = node.properties.findLast(
		(property) => property.type === "Property" && !property.computed && nameOf(property.key) === step,
	);
	return found?.type === "Property" ? found : undefined;
}

function elementOf(node: AnyNode, step: string | number): AnyNode | undefined {
	if (node.type !== "ArrayExpression" || typeof step !== "number") return undefined;
	const elements = node.elements.slice(0, step + 1);
	return elements.some((element) => element?.type === "SpreadElement") ? undefined : (elements[step] ?? undefined);
}
