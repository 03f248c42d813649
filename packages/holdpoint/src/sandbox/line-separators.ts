import type { AnyNode, Statement } from "acorn";

/**
 * Offsets of U+2028 and U+2029 outside string and template literals. There they end a line that looks like none: what
 * stands behind one in a comment would run and be shown as a comment, and the engine counts a line for some of them only.
 */
export function lineSeparators(text: string, statements: readonly Statement[]): number[] {
	const all = separatorsIn(text);
	if (all.length === 0) return [];
	const inside = new Set<number>();
	for (const { start, end } of literalsIn(statements)) {
		for (const at of separatorsIn(text.slice(start, end))) inside.add(start + at);
	}
	return all.filter((at) => !inside.has(at));
}

function separatorsIn(text: string): number[] {
	return [...text.matchAll(/[\u2028\u2029]/g)].map(({ index }) => index);
}

function literalsIn(statements: readonly Statement[]): AnyNode[] {
	const found: AnyNode[] = [];
	const stack: unknown[] = [statements];
	while (stack.length > 0) {
		const part = stack.pop();
		if (typeof part !== "object" || part === null) continue;
		if (isLiteral(part)) found.push(part);
		// One by one: a list may be longer than a call has room for.
		else for (const inner of Object.values(part)) stack.push(inner);
	}
	return found;
}

function isLiteral(part: object): part is AnyNode {
	return "type" in part && (part.type === "Literal" || part.type === "TemplateElement");
}
