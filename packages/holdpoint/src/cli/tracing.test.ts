import { once } from "node:events";
import {
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Span } from "../spec/trace.ts";
import { recorded } from "./recording-host.ts";
import { widthOf } from "./render/text-width.ts";

/** `holdpoint trace`, on runs whose model says what nobody should write into a terminal or a page. */

let cwd: string;
const at = (path: string) => pathToFileURL(join(import.meta.dirname, path)).href;
const hostile = "<img src=x onerror=alert(1)>\\u001b[31m\\u202e";
const config = `
import { defineAgent } from "${at("../run/define-agent.ts")}";
import { defineTool } from "${at("../tools/define-tool.ts")}";
import { jsonSchema } from "${at("../tools/json-schema.ts")}";
import { scriptedModel } from "${at("../testing/scripted-model.ts")}";
import { call, say } from "${at("../testing/story.ts")}";
const input = jsonSchema({ type: "object", properties: { card: { type: "string", sensitive: "secret" } } });
const pay = defineTool({ name: "pay", description: "Pays.", effect: "write", input, execute: () => ({ paid: true }) });
const story = [
	call("${hostile}", {}, { undeclared: true }),
	call("pay", { card: "4000-1234-5678" }),
	say("Paid with 4000-1234-5678."),
];
export const config = {
	agents: [defineAgent({ name: "payer", instructions: "Pay.", tools: [pay] })],
	model: scriptedModel(story, { countTokens: false }),
	policy: () => ({ verdict: "ask", reason: "money" }),
};
`;

beforeEach(() => {
	cwd = mkdtempSync(join(tmpdir(), "holdpoint-tracing-"));
	writeFileSync(join(cwd, "holdpoint.config.mjs"), config);
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const env = { TERM: "dumb" };
const cli = (...argv: string[]) => recorded(argv, { cwd, env: { ...env } });
const traces = () => join(cwd, ".holdpoint/holdpoint.db.traces");

/** Held, approved and gone on with. */
async function wholeRun(more: Readonly<Record<string, string>> = {}): Promise<string> {
	const go = (...argv: string[]) => recorded(argv, { cwd, env: { ...env, ...more } });
	const [started] = (await go("run", "go", "--json")).json().slice(-1);
	const { run, waits } = started as unknown as { run: string; waits: { approval: string }[] };
	await go("approve", waits[0]?.approval ?? "");
	expect((await go("resume", run)).code).toBe(0);
	return run;
}

interface Shown {
	readonly segments: readonly { readonly epoch: number; readonly source: string; readonly spans: readonly Span[] }[];
}

async function shown(...argv: string[]): Promise<Shown> {
	const { code, json } = await cli("trace", ...argv, "--json");
	expect(code).toBe(0);
	return json()[0] as unknown as Shown;
}

describe("holdpoint trace", () => {
	test("what ran is recorded beside the store, and shown segment by segment", async () => {
		const run = await wholeRun();
		const { segments } = await shown(run);
		expect(segments.map(({ source }) => source)).toEqual(["recorded", "recorded"]);
		expect(segments[1]?.spans.map(({ name }) => name).filter((name) => name !== "holdpoint.checkpoint")).toEqual([
			"invoke_agent payer",
			"holdpoint.approval pay",
			"execute_tool pay",
			"chat scripted",
		]);
		const { out } = await cli("trace");
		expect(out).toContain("recorded, 3 commits");
		expect(out).not.toContain("holdpoint.checkpoint");
		expect((await cli("trace", run, "--all")).out).toContain("holdpoint.checkpoint");
	});

	test("without a record the journal tells the same spans, and it is said", async () => {
		const run = await wholeRun();
		const before = await shown(run);
		rmSync(traces());
		const after = await shown(run);
		expect(after.segments.map(({ source }) => source)).toEqual(["journal", "journal"]);
		const ids = ({ segments }: Shown) =>
			segments.map(({ spans }) =>
				spans.filter(({ name }) => name !== "holdpoint.checkpoint").map(({ name, spanId }) => `${name} ${spanId}`),
			);
		expect(ids(after)).toEqual(ids(before));
		expect((await cli("trace", run)).out).toContain("from the journal");
	});

	test("a record with a hole is not shown: the journal tells that segment", async () => {
		const run = await wholeRun();
		const before = await shown(run);
		const child = before.segments[1]?.spans.find(({ name }) => name === "execute_tool pay");
		const database = new DatabaseSync(traces());
		database
			.prepare('UPDATE part SET spans = replace(spans, \'"id":"\' || ? || \'"\', \'"id":"0","parent":"gone"\')')
			.run(child?.spanId ?? "");
		database
			.prepare(
				'UPDATE part SET spans = replace(spans, \'"parent":"gone","parent":"\' || ? || \'"\', \'"parent":"gone"\')',
			)
			.run(child?.parentSpanId ?? "");
		database.close();
		const after = await shown(run);
		expect(after.segments.map(({ source }) => source)).toEqual(["recorded", "journal"]);
		expect(after.segments[1]?.spans.map(({ name }) => name)).toContain("execute_tool pay");
	});

	test("an exporter that is not known here is said, and stops no run", async () => {
		const more = {
			OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
			OTEL_TRACES_EXPORTER: "console",
			OTEL_METRICS_EXPORTER: "none",
		};
		const { err, code } = await recorded(["run", "go"], { cwd, env: { ...env, ...more } });
		expect(code).not.toBe(1);
		expect(err).toContain("OTEL_TRACES_EXPORTER=console is not known here");
		expect(err).not.toContain("OTEL_METRICS_EXPORTER");
	});

	test.each(["off", " OFF "])("HOLDPOINT_TRACES=%s keeps none", async (value) => {
		await wholeRun({ HOLDPOINT_TRACES: value });
		expect(existsSync(traces())).toBe(false);
	});

	test.each([
		["without a config", {}, true],
		["where none are kept any more", { HOLDPOINT_TRACES: "off" }, false],
	])("an erased run has no trace: %s", async (_, more, isBare) => {
		const run = await wholeRun();
		expect(readFileSync(traces(), "latin1")).toContain(run);
		if (isBare) rmSync(join(cwd, "holdpoint.config.mjs"));
		const { code } = await recorded(["audit", "erase", run, "--yes"], { cwd, env: { ...env, ...more } });
		expect(code).toBe(0);
		expect(readFileSync(traces(), "latin1")).not.toContain(run);
	});

	test("whoever erases tells the exporters of the config, too", async () => {
		const told = join(cwd, "forgotten");
		const exporter = `{ ended: () => undefined, close: async () => undefined, forget: (run) => fs.writeFileSync(${JSON.stringify(told)}, run) }`;
		writeFileSync(
			join(cwd, "holdpoint.config.mjs"),
			`import fs from "node:fs";\n${config.replace("export const config = {", `export const config = { tracing: { exporters: [${exporter}] },`)}`,
		);
		const run = await wholeRun();
		expect((await cli("audit", "erase", run, "--yes")).code).toBe(0);
		expect(readFileSync(told, "utf8")).toBe(run);
		expect(readFileSync(traces(), "latin1")).not.toContain(run);
	});

	test("a trace store that is broken is said, and stops nothing", async () => {
		const run = await wholeRun();
		writeFileSync(traces(), "x".repeat(9_000));
		const { err, out, code } = await cli("trace", run);
		expect(code).toBe(0);
		expect(err).toContain("derived from the journal");
		expect(out).toContain("execute_tool pay");
	});

	const span = (id: string, more = "") => `{"id":"${id}",${more}"name":"x","start":1,"end":2,"attributes":{}}`;
	test.each([
		["no spans", "[null]", "derived from the journal"],
		["two of one id", `[${span("r")},${span("r", '"parent":"r",')}]`, ""],
		["two roots", `[${span("r")},${span("q")}]`, ""],
		[
			"some that are below each other",
			`[${span("r")},${span("a", '"parent":"b",')},${span("b", '"parent":"a",')}]`,
			"",
		],
	])("where there are %s in it the journal's are shown", async (_, spans, said) => {
		const run = await wholeRun();
		const database = new DatabaseSync(traces());
		database.prepare("DELETE FROM part WHERE id NOT IN (SELECT min(id) FROM part GROUP BY trace_id)").run();
		database.prepare("UPDATE part SET spans = ?").run(spans);
		database.close();
		const { err, code } = await cli("trace", run);
		expect(code).toBe(0);
		expect(err).toContain(said);
		expect((await shown(run)).segments.map(({ source }) => source)).toEqual(["journal", "journal"]);
	});

	test("fits a narrow terminal, and nothing in it moves the cursor", async () => {
		const run = await wholeRun();
		for (const columns of [40, 60, 120]) {
			const { out } = await recorded(["trace", run, "--no-color"], { cwd, columns });
			expect(out).not.toContain("\u001b");
			expect(out).not.toContain("\u202e");
			for (const line of out.split("\n").slice(2))
				if (!line.startsWith("segment")) expect(widthOf(line)).toBeLessThanOrEqual(columns);
		}
	});

	test("the page needs nothing else, and every text in it is escaped", async () => {
		const run = await wholeRun({ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "true" });
		const { code, out } = await cli("trace", run, "--html", "trace.html");
		expect(code).toBe(0);
		expect(out).toContain("trace.html");
		const file = join(cwd, "trace.html");
		expect(statSync(file).mode & 0o777).toBe(0o600);
		const page = readFileSync(file, "utf8");
		expect(page).toContain("default-src 'none'");
		expect(page).toContain("onerror=alert");
		expect(page).not.toContain("<img");
		expect(page).not.toContain("\u202e");
		expect(page).not.toContain("\u001b");
		expect(page).not.toMatch(/<script|src=["']|href=|style="|url\(/);
		expect(page).not.toContain("4000-1234-5678");
		expect((await cli("trace", run, "--html", "no/such/folder.html")).code).not.toBe(0);
	});

	test("a page takes the place of whatever lies there, for this user alone", async () => {
		const run = await wholeRun();
		const open = join(cwd, "open.html");
		writeFileSync(open, "old", { mode: 0o644 });
		const other = join(cwd, "other.txt");
		writeFileSync(other, "kept");
		symlinkSync(other, join(cwd, "link.html"));
		for (const name of ["open.html", "link.html"]) {
			expect((await cli("trace", run, "--html", name)).code).toBe(0);
			const file = lstatSync(join(cwd, name));
			expect([file.isFile(), file.mode & 0o777]).toEqual([true, 0o600]);
		}
		expect(readFileSync(other, "utf8")).toBe("kept");
		mkdirSync(join(cwd, "folder.html"));
		expect((await cli("trace", run, "--html", "folder.html")).code).not.toBe(0);
		expect(readdirSync(cwd).filter((name) => name.includes("partial"))).toEqual([]);
	});

	test("nothing that a tool marks as sensitive is in the file, also where what was said is recorded", async () => {
		await wholeRun({ OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "true" });
		const bytes = readFileSync(traces(), "latin1");
		expect(bytes.includes("gen_ai.output.messages")).toBe(true);
		expect(bytes.includes("4000-1234-5678")).toBe(false);
	});
});

describe("OTLP from the command line", () => {
	test("goes where OpenTelemetry's variable says", async () => {
		const paths: string[] = [];
		const server = createServer((request, response) => {
			paths.push(request.url ?? "");
			request.resume().once("end", () => response.writeHead(200).end("{}"));
		});
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		await wholeRun({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` });
		server.closeAllConnections();
		server.close();
		expect(new Set(paths)).toEqual(new Set(["/v1/traces", "/v1/metrics"]));
	});

	test("what cannot be spoken is said, and stops no run", async () => {
		const { code, err } = await recorded(["run", "go"], {
			cwd,
			env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4317", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
		});
		expect(code).toBe(3);
		expect(err).toContain('Nothing is sent over OTLP: OTEL_EXPORTER_OTLP_PROTOCOL asks for "grpc"');
	});

	test("an address that is none is said, and stops no run", async () => {
		const { code, err } = await recorded(["run", "go"], {
			cwd,
			env: { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: "collector" },
		});
		expect(code).toBe(3);
		expect(err).toContain("Nothing is sent over OTLP");
	});
});
