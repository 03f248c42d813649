/**
 * Writes `docs/reference/{errors,events,limits}.md` from the code they describe: the error registry, the event types and
 * the limits with their comments. `test/reference.test.ts` fails when a page and the code differ.
 * Run: node scripts/write-reference.ts
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { errorCodes, failureHints } from "../packages/holdpoint/src/spec/errors.ts";
import {
	defaultFetchLimits,
	defaultFileLimits,
	defaultHarnessAgentLimits,
	defaultLimits,
	defaultProgramLimits,
	defaultShellLimits,
	defaultSkillLimits,
	defaultTeamLimits,
	fixedLimits,
} from "../packages/holdpoint/src/spec/limits.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const spec = (file: string): string => readFileSync(`${root}packages/holdpoint/src/spec/${file}.ts`, "utf8");
const note = "<!-- Written by scripts/write-reference.ts from the code; change it there. -->";

/** Every page by its path from the root. */
export function referencePages(): ReadonlyMap<string, string> {
	return new Map([
		["docs/reference/errors.md", errorsPage()],
		["docs/reference/events.md", eventsPage()],
		["docs/reference/limits.md", limitsPage()],
	]);
}

function errorsPage(): string {
	const rows = Object.entries(errorCodes).map(([code, { retry, hint }]) => `| \`${code}\` | ${retry} | ${hint} |`);
	const failures = Object.entries(failureHints).map(([code, hint]) => `| \`${code}\` | ${hint} |`);
	const ends = literalsOf("RunFailureCode").map((code) => `\`${code}\``);
	return page("Errors", [
		"Expected outcomes (a denied call, a waiting run) are values. Operational failures are one class, `HoldpointError`,",
		"with a stable `code`, a `hint`, `details` for machines and the `cause`. `isHoldpointError(error)` holds across two",
		"installed copies of the package.",
		"",
		"**Retry** says what a caller may do: `never` (the same call fails again), `safe` (nothing happened), `unknown`",
		"(something may have happened: look first).",
		"",
		"| Code | Retry | What to do |",
		"|---|---|---|",
		...rows,
		"",
		"## Failed calls",
		"",
		"A tool's failure is an outcome that the model reads, with the hint of its code; it never ends a run.",
		"",
		"| Code | What the model reads besides |",
		"|---|---|",
		...failures,
		"",
		"## Failed runs",
		"",
		`A run that ends as \`failed\` names why: ${ends.join(", ")}, or a code of the table.`,
	]);
}

function literalsOf(type: string): string[] {
	const body = new RegExp(`export type ${type} =([^;]+);`).exec(spec("events"))?.[1] ?? "";
	return [...body.matchAll(/"([^"]+)"/g)].map((match) => match[1] as string);
}

function eventsPage(): string {
	const source = `${spec("events")}\n${spec("team-events")}\n${spec("context-events")}`;
	const version = /journalVersion = (\d+)/.exec(source)?.[1];
	const events = [
		...source.matchAll(
			/(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?export interface \w+ (?:extends (\w+) )?\{\n\treadonly type: "([a-z.]+)";(?:\n([\s\S]*?))??\n\}/g,
		),
	].map(([, comment, base, type, own = ""]) => {
		const inherited = base === undefined ? undefined : declaration(base)?.fields;
		return { comment, type, fields: inherited === undefined ? own : `${inherited}\n${own}` };
	});
	const sections = events.flatMap(({ comment, type, fields }) => [
		`## \`${type}\``,
		"",
		...(comment ? [sentence(comment), ""] : []),
		...fieldRows(fields),
		"",
	]);
	const named = namedTypes(events.map(({ fields }) => fields).join("\n"));
	return page("Events", [
		`The vocabulary of the journal, version ${version}. Fields are added as optional, meanings never change, and a journal`,
		"that an older version wrote always folds. Types that fields name are at the end.",
		"",
		...sections,
		"## Types",
		"",
		...named.flatMap(typeLines),
	]);
}

/** Described on a page of their own. */
const elsewhere: Readonly<Record<string, string>> = { ErrorCode: "errors.md", ProgramLimits: "limits.md" };

interface NamedType {
	readonly name: string;
	readonly comment: string | undefined;
	/** The declaration as it stands in the code. */
	readonly text: string;
	/** Of an interface of the journal. */
	readonly fields?: string;
}

/** The types that this code names, and those that these name, in the order in which they come up. */
function namedTypes(code: string): NamedType[] {
	const found = new Map<string, NamedType>();
	const queue = namesIn(code);
	for (const name of queue) {
		const type = found.has(name) ? undefined : declaration(name);
		if (!type) continue;
		found.set(name, type);
		queue.push(...namesIn(type.text));
	}
	return [...found.values()];
}

/** What begins with a capital and is no text. */
function namesIn(code: string): string[] {
	const types = code.replace(/\/\*\*[\s\S]*?\*\//g, "").replace(/"[^"]*"/g, "");
	return [...types.matchAll(/\b[A-Z]\w+/g)].map(([name]) => name);
}

/** Files whose types the journal writes down as they are. */
const written: ReadonlySet<string> = new Set([
	"events",
	"team-events",
	"context-events",
	"event-parts",
	"approver",
	"label",
]);

function declaration(name: string): NamedType | undefined {
	for (const file of [
		"events",
		"team-events",
		"context-events",
		"event-parts",
		"approver",
		"label",
		"marks",
		"governance",
		"model",
		"json",
		"limits",
		"errors",
	]) {
		const start = `(?:/\\*\\*((?:(?!\\*/)[\\s\\S])*)\\*/\\n)?`;
		const pattern = new RegExp(
			`${start}(?:export )?(?:interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)\\n\\}|type ${name} =[\\s\\S]*?;(?=\\n))`,
		);
		const match = pattern.exec(spec(file));
		if (!match) continue;
		const [whole, comment, fields] = match;
		const text = whole.replace(/^\/\*\*[\s\S]*?\*\/\n(?=export|interface|type)/, "").replaceAll("export ", "");
		return { name, comment, text, ...(written.has(file) && fields ? { fields } : {}) };
	}
	return undefined;
}

function typeLines({ name, comment, text, fields }: NamedType): string[] {
	const head = [`### \`${name}\``, "", ...(comment ? [sentence(comment), ""] : [])];
	const page = elsewhere[name];
	if (page) return [...head, `See [${page.replace(".md", "")}](${page}).`, ""];
	return fields ? [...head, ...fieldRows(fields), ""] : [...head, "```text", text.replaceAll("\t", "  "), "```", ""];
}

function fieldRows(fields: string): string[] {
	const found = [
		...fields.matchAll(
			/(?:\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*)?readonly (\w+)(\??): ([\s\S]*?);(?=\n\t(?:readonly|\/\*\*)|$)/g,
		),
	];
	const rows = found.map(([, comment, name, optional, type]) => {
		const shape = (type as string).replace(/\s+/g, " ").replaceAll("|", "\\|");
		return `| \`${name}\`${optional ? " (optional)" : ""} | \`${shape}\` | ${comment ? sentence(comment) : ""} |`;
	});
	return rows.length > 0 ? ["| Field | Type | |", "|---|---|---|", ...rows] : [];
}

function limitsPage(): string {
	return page("Limits", [
		"Every loop and every resource has a limit, compared with `>=`. Set the first ones with `limits` of `createHarness` or",
		"of an agent, those of programs with `programs: { limits }`.",
		"",
		"## Of a run",
		"",
		...limitRows("Limits", defaultLimits),
		"",
		"## Of a program",
		"",
		...limitRows("ProgramLimits", defaultProgramLimits),
		"",
		"## Of a team",
		"",
		"Defaults; each team sets its own where it is made.",
		"",
		...limitRows("TeamLimits", defaultTeamLimits),
		"",
		"## Of a harness agent",
		"",
		"Defaults; each agent sets its own with the option that is named.",
		"",
		...limitRows("HarnessAgentLimits", defaultHarnessAgentLimits),
		"",
		"## Of outside tools",
		"",
		"Each sets its own with `limits` where it is made.",
		"",
		"### Files",
		"",
		...limitRows("FileLimits", defaultFileLimits),
		"",
		"### Shell",
		"",
		...limitRows("ShellLimits", defaultShellLimits),
		"",
		"### `fetch_url`",
		"",
		...limitRows("FetchLimits", defaultFetchLimits),
		"",
		"### Skills",
		"",
		...limitRows("SkillLimits", defaultSkillLimits),
		"",
		"## Fixed",
		"",
		"Nobody sets these: bounds that keep a mistake small, and times that only have to be long enough.",
		"",
		...limitRows("FixedLimits", fixedLimits),
	]);
}

function limitRows(type: string, values: object): string[] {
	const body = new RegExp(`export interface ${type} \\{([\\s\\S]*?)\\n\\}`).exec(spec("limits"))?.[1] ?? "";
	const known = values as Record<string, number>;
	const rows = [...body.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*readonly (\w+): number;/g)].map(
		([, comment, name]) =>
			`| \`${name}\` | ${known[name as string]?.toLocaleString("en-US")} | ${sentence(comment as string)} |`,
	);
	return ["| Limit | Default | |", "|---|---|---|", ...rows];
}

function sentence(comment: string): string {
	return comment
		.replace(/\n\s*\*/g, " ")
		.replace(/\s+/g, " ")
		.trim()
		.replaceAll("|", "\\|");
}

function page(title: string, lines: readonly string[]): string {
	return `${[`# ${title}`, "", note, "", ...lines].join("\n").trimEnd()}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	for (const [path, text] of referencePages()) writeFileSync(root + path, text);
}
