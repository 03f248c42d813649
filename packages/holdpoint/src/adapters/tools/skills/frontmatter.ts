/**
 * The head of a `SKILL.md`: the part of YAML that such heads are written in. Names with plain, quoted, folded (`>`) and literal
 * (`|`) texts, and maps of those under a name. Anchors, tags, lists and flows are refused: a head has no use for them.
 */

export interface SkillHead {
	readonly name: string;
	readonly description: string;
}

export interface SkillDocument {
	readonly head: SkillHead;
	readonly body: string;
}

/** Fields of the format at agentskills.io, with how long each may be. Units: characters. */
const known: Readonly<Record<string, number>> = {
	name: 64,
	description: 1_024,
	license: 500,
	compatibility: 500,
	metadata: 10_000,
	"allowed-tools": 2_000,
};

/** Errors: one that says what is wrong with it. */
export function skillDocument(text: string): SkillDocument {
	const [first, ...lines] = text.replace(/^\ufeff/, "").split(/\r?\n/);
	const end = lines.findIndex((line) => line.trimEnd() === "---");
	if (first?.trimEnd() !== "---" || end < 0) throw new Error('does not begin with a head between two lines of "---"');
	const fields = fieldsOf(lines.slice(0, end));
	const { name = "", description = "" } = Object.fromEntries(fields);
	if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) {
		throw new Error(
			`has the name ${JSON.stringify(name.slice(0, 80))}; a name has small letters, digits and single hyphens`,
		);
	}
	if (description.trim() === "") throw new Error("has no description");
	for (const [field, value] of fields) {
		const max = Object.hasOwn(known, field) ? known[field] : undefined;
		if (max !== undefined && value.length > max)
			throw new Error(`has a ${field} of ${value.length} characters; the limit is ${max}`);
	}
	return {
		head: { name, description: description.trim() },
		body: lines
			.slice(end + 1)
			.join("\n")
			.trim(),
	};
}

/** Names and texts in their order. Fields that the format does not know are kept: other programs put them there. */
function fieldsOf(lines: readonly string[]): Map<string, string> {
	const fields = new Map<string, string>();
	for (let at = 0; at < lines.length; ) {
		const line = lines[at] ?? "";
		if (isBlank(line)) {
			at++;
			continue;
		}
		const [, name, rest = ""] = /^([\w-]+):(?:\s+(.*))?$/.exec(line) ?? [];
		if (name === undefined)
			throw new Error(`has a line in its head that is no field: ${JSON.stringify(line.slice(0, 80))}`);
		if (fields.has(name)) throw new Error(`has ${name} twice`);
		const inner = indented(lines, at + 1);
		fields.set(name, valueOf(name, rest.trim(), inner));
		at += 1 + inner.length;
	}
	return fields;
}

function isBlank(line: string): boolean {
	return line.trim() === "" || line.trimStart().startsWith("#");
}

/** Lines that belong to the field above them. */
function indented(lines: readonly string[], from: number): string[] {
	let end = from;
	while (end < lines.length && /^(\s|$)/.test(lines[end] ?? "")) end++;
	return lines.slice(from, end);
}

function valueOf(name: string, text: string, inner: readonly string[]): string {
	if (/^[>|][+-]?\d?(\s+#.*)?$/.test(text)) return block(text.startsWith(">"), inner);
	// The texts of a map: only that they are few is of interest.
	if (text === "" && name === "metadata") return inner.join("\n");
	const whole = [text, ...inner.map((line) => line.trim())].join(" ").trim();
	if (whole.startsWith('"')) return quoted(name, whole);
	if (whole.startsWith("'")) {
		const single = /^'((?:[^']|'')*)'\s*(#.*)?$/.exec(whole)?.[1];
		if (single === undefined) throw new Error(`has a ${name} whose quotes are not closed`);
		return single.replaceAll("''", "'");
	}
	if (/^[&*!%@`[{]/.test(whole)) throw new Error(`has a ${name} that is no plain text; put it into quotes`);
	const comment = whole.search(/\s#/);
	return comment < 0 ? whole : whole.slice(0, comment).trimEnd();
}

function quoted(name: string, text: string): string {
	const closed = /^("(?:[^"\\]|\\.)*")\s*(#.*)?$/.exec(text)?.[1];
	try {
		const value: unknown = JSON.parse(closed ?? "");
		if (typeof value === "string") return value;
	} catch {
		// Told below.
	}
	throw new Error(`has a ${name} in quotes that cannot be read`);
}

function block(isFolded: boolean, lines: readonly string[]): string {
	const indent = Math.min(...lines.filter((line) => line.trim() !== "").map((line) => line.search(/\S/)));
	const texts = lines.map((line) => line.slice(Number.isFinite(indent) ? indent : 0));
	if (!isFolded) return texts.join("\n").trim();
	// Lines are one paragraph until a blank one.
	const parts: string[][] = [[]];
	for (const text of texts.map((line) => line.trim())) {
		if (text === "") parts.push([]);
		else parts.at(-1)?.push(text);
	}
	return parts
		.filter((part) => part.length > 0)
		.map((part) => part.join(" "))
		.join("\n");
}
