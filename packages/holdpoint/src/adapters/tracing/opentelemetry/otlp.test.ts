import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { TracerProvider } from "@opentelemetry/sdk-trace";
import { afterEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { memoryStore } from "../../../adapters/stores/memory.ts";
import type { HarnessOptions } from "../../../holdpoint.ts";
import type { Span } from "../../../spec/trace.ts";
import { fakeClock } from "../../../testing/fake-clock.ts";
import { onlyWait, stage } from "../../../testing/stage.ts";
import { call, say } from "../../../testing/story.ts";
import { traceRecorder } from "../../../testing/trace-recorder.ts";
import { defineTool } from "../../../tools/define-tool.ts";
import { openTelemetry } from "./exporter.ts";
import { otlpTracing } from "./otlp.ts";

/** A collector that speaks OTLP/HTTP with JSON, as far as it is spoken here. */
interface Collector {
	readonly endpoint: string;
	readonly spans: OtlpSpan[];
	readonly metrics: OtlpMetric[];
	readonly problems: string[];
	readonly requests: number;
	/** Of each request, whose it is. */
	readonly resources: readonly OtlpAttributes[];
}

interface OtlpValue {
	readonly stringValue?: string;
	readonly intValue?: string | number;
	readonly doubleValue?: number;
	readonly boolValue?: boolean;
	readonly arrayValue?: { readonly values: readonly OtlpValue[] };
}
type OtlpAttributes = readonly { readonly key: string; readonly value: OtlpValue }[];
interface OtlpSpan {
	readonly traceId: string;
	readonly spanId: string;
	readonly parentSpanId?: string;
	readonly name: string;
	readonly kind: number;
	readonly startTimeUnixNano: string;
	readonly endTimeUnixNano: string;
	readonly attributes: OtlpAttributes;
	readonly events?: readonly { readonly name: string; readonly attributes: OtlpAttributes }[];
	readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
	readonly status?: { readonly code?: number };
}
interface OtlpMetric {
	readonly name: string;
	readonly unit: string;
	readonly sum?: { readonly dataPoints: readonly { readonly asInt?: string; readonly asDouble?: number }[] };
	readonly histogram?: { readonly dataPoints: readonly { readonly count: string | number; readonly sum: number }[] };
}

const servers: Server[] = [];
afterEach(async () => {
	for (const server of servers.splice(0)) {
		server.closeAllConnections();
		server.close();
		await once(server, "close");
	}
});

async function listen(answer: Parameters<typeof createServer>[1]): Promise<string> {
	const server = createServer(answer);
	servers.push(server);
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function rawOf(request: IncomingMessage): Promise<Buffer> {
	const parts: Buffer[] = [];
	for await (const part of request) parts.push(part as Buffer);
	const raw = Buffer.concat(parts);
	return request.headers["content-encoding"] === "gzip" ? gunzipSync(raw) : raw;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
	return JSON.parse((await rawOf(request)).toString("utf8"));
}

/** The outer fields of a protobuf message, each of which has a length, as those of OTLP's requests have; throws where it is none. */
function fieldsOf(raw: Buffer): { readonly field: number; readonly wire: number }[] {
	const fields: { field: number; wire: number }[] = [];
	let at = 0;
	const varint = (): number => {
		for (let value = 0, shift = 0; ; shift += 7) {
			const byte = raw[at++];
			if (byte === undefined) throw new Error("it ends in a number");
			value += (byte & 0x7f) * 2 ** shift;
			if (byte < 0x80) return value;
		}
	};
	while (at < raw.length) {
		const key = varint();
		fields.push({ field: key >> 3, wire: key & 7 });
		const length = varint();
		at += length;
	}
	if (at !== raw.length) throw new Error("it ends in a field");
	return fields;
}

async function collector(): Promise<Collector> {
	const spans: OtlpSpan[] = [];
	const metrics: OtlpMetric[] = [];
	const problems: string[] = [];
	const resources: OtlpAttributes[] = [];
	let requests = 0;
	const endpoint = await listen(async (request, response) => {
		requests++;
		const isJson = request.headers["content-type"] === "application/json";
		if (request.method !== "POST" || !isJson) problems.push(`${request.method} ${request.headers["content-type"]}`);
		const body = (await bodyOf(request)) as Record<
			string,
			{ scopeSpans: object[]; scopeMetrics: object[]; resource: { attributes: OtlpAttributes } }[]
		>;
		for (const of of [body["resourceSpans"], body["resourceMetrics"]].flat())
			if (of) resources.push(of.resource.attributes);
		for (const of of body["resourceSpans"] ?? []) {
			if (!JSON.stringify(of.resource).includes('"service.name"')) problems.push("no service.name");
			for (const scope of of.scopeSpans as { spans: OtlpSpan[] }[]) spans.push(...scope.spans);
		}
		for (const of of body["resourceMetrics"] ?? [])
			for (const scope of of.scopeMetrics as { metrics: OtlpMetric[] }[]) metrics.push(...scope.metrics);
		if (!["/v1/traces", "/v1/metrics"].includes(request.url ?? "")) problems.push(`path ${request.url}`);
		response.writeHead(200, { "content-type": "application/json" }).end("{}");
	});
	return {
		endpoint,
		spans,
		metrics,
		problems,
		resources,
		get requests() {
			return requests;
		},
	};
}

function plain(attributes: OtlpAttributes): Record<string, unknown> {
	const valueOf = (value: OtlpValue): unknown => {
		if (value.intValue !== undefined) return Number(value.intValue);
		return value.arrayValue
			? value.arrayValue.values.map(valueOf)
			: (value.stringValue ?? value.doubleValue ?? value.boolValue);
	};
	return Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)]));
}

const pay = defineTool({
	name: "pay",
	description: "Pays.",
	input: z.object({ cents: z.number() }),
	effect: "write",
	execute: ({ cents }) => ({ paid: cents }),
});

type Exporter = NonNullable<HarnessOptions["tracing"]>["exporters"][number];

/** Held, and gone on with by another harness with an exporter of its own, as another process would have. */
async function heldRun(exporters: () => Promise<readonly Exporter[]>) {
	const clock = fakeClock({ skipMs: 20_000 });
	const policy = () => ({ verdict: "ask", reason: "money" }) as const;
	const tracing = async () => ({
		tracing: { exporters: await exporters(), generation: "v1.41", content: false } as const,
	});
	const story = [call("pay", { cents: 5 }), say("done")];
	const scene = stage({ story, tools: [pay], store: memoryStore(), clock, harness: { policy, ...(await tracing()) } });
	const waiting = await scene.harness.run(scene.agent, "go");
	clock.advance(60_000);
	const again = scene.again({ harness: await tracing() });
	await again.harness.approve(onlyWait(waiting, "approval").approval);
	const result = await again.harness.resume(waiting.run);
	await scene.harness.close();
	await again.harness.close();
	return result;
}

describe("OTLP", () => {
	test("spans arrive as they are, with their ids, parents, links, times and attributes", async () => {
		const to = await collector();
		const recorder = traceRecorder();
		const { status } = await heldRun(async () => [recorder, await otlpTracing({ endpoint: `${to.endpoint}/` })]);
		expect(status).toBe("completed");
		expect(to.problems).toEqual([]);
		expect(to.spans).toHaveLength(recorder.spans.length);
		for (const span of recorder.spans) {
			const found = to.spans.find((one) => one.traceId === span.traceId && one.spanId === span.spanId);
			if (!found) throw new Error(`${span.name} did not arrive`);
			expect(found).toMatchObject({
				name: span.name,
				kind: span.kind === "client" ? 3 : 1,
				startTimeUnixNano: String(BigInt(span.start) * 1_000_000n),
				endTimeUnixNano: String(BigInt(span.end ?? 0) * 1_000_000n),
			});
			expect(found.parentSpanId || undefined).toBe(span.parentSpanId);
			expect(plain(found.attributes)).toEqual(span.attributes);
			expect(found.status?.code ?? 0).toBe(span.status.code === "error" ? 2 : 0);
			expect((found.events ?? []).map(({ name }) => name)).toEqual(span.events.map(({ name }) => name));
			const ids = ({ traceId, spanId }: { traceId: string; spanId: string }) => ({ traceId, spanId });
			expect((found.links ?? []).map(ids)).toEqual(span.links.map(ids));
		}
		// The second segment's root, sent by another exporter, links to one that arrived.
		const [link] = to.spans.flatMap(({ links }) => links ?? []);
		expect(to.spans.some(({ traceId, spanId }) => traceId === link?.traceId && spanId === link.spanId)).toBe(true);
	});

	test("metrics arrive, with their units", async () => {
		const to = await collector();
		await heldRun(async () => [await otlpTracing({ endpoint: to.endpoint })]);
		const found = new Map(to.metrics.map((metric) => [metric.name, metric]));
		expect(found.get("gen_ai.client.operation.duration")).toMatchObject({ unit: "s" });
		expect(found.get("gen_ai.client.token.usage")).toMatchObject({ unit: "{token}" });
		expect(found.get("holdpoint.approval.wait")?.histogram?.dataPoints).toMatchObject([{ sum: 60 }]);
		expect(found.get("holdpoint.commit.duration")?.histogram?.dataPoints.length).toBeGreaterThan(0);
		const open = to.metrics.filter(({ name }) => name === "holdpoint.approvals.open");
		expect(open.flatMap(({ sum }) => sum?.dataPoints.map(({ asInt, asDouble }) => Number(asInt ?? asDouble)))).toEqual([
			1, -1,
		]);
	});

	test("a collector that is down holds nothing up and fails nothing", async () => {
		const { status } = await heldRun(async () => [
			await otlpTracing({ endpoint: "http://127.0.0.1:9", timeoutMs: 200 }),
		]);
		expect(status).toBe("completed");
	});

	test("one that never answers is left behind at the end", async () => {
		const asked = Promise.withResolvers<void>();
		const endpoint = await listen(() => asked.resolve());
		const { status } = await heldRun(async () => [await otlpTracing({ endpoint, timeoutMs: 100 })]);
		expect(status).toBe("completed");
		await asked.promise;
	});

	const sentWith = async (env: (endpoint: string) => Readonly<Record<string, string>>) => {
		const to = await collector();
		await heldRun(async () => [await otlpTracing({ env: env(to.endpoint) })]);
		return to;
	};
	const pathsOf = ({ spans, metrics }: Collector) => [spans.length > 0, metrics.length > 0];

	test.each([
		["both", "", {}, [true, true]],
		["no metrics", "", { OTEL_METRICS_EXPORTER: "none" }, [true, false]],
		["no traces", "", { OTEL_TRACES_EXPORTER: "none" }, [false, true]],
		["where traces alone have an address", "TRACES_", {}, [true, false]],
		["where metrics alone have one", "METRICS_", {}, [false, true]],
	])("variables say what is sent: %s", async (_, signal, more, sent) => {
		const path = signal === "" ? "" : `/v1/${signal.toLowerCase().slice(0, -1)}`;
		const to = await sentWith((endpoint) => ({
			[`OTEL_EXPORTER_OTLP_${signal}ENDPOINT`]: `${endpoint}${path}`,
			...more,
		}));
		expect(pathsOf(to)).toEqual(sent);
		expect(to.problems).toEqual([]);
	});

	test("OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf is spoken, for one signal alone, too", async () => {
		const came: { path: string; type: string | undefined; raw: Buffer }[] = [];
		const endpoint = await listen(async (request, response) => {
			came.push({ path: request.url ?? "", type: request.headers["content-type"], raw: await rawOf(request) });
			response.writeHead(200, { "content-type": request.headers["content-type"] ?? "" }).end();
		});
		const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" };
		await heldRun(async () => [await otlpTracing({ env })]);
		expect(new Set(came.map(({ path }) => path))).toEqual(new Set(["/v1/traces", "/v1/metrics"]));
		for (const { type, raw } of came) {
			expect(type).toBe("application/x-protobuf");
			expect(fieldsOf(raw)).toEqual([{ field: 1, wire: 2 }]);
		}
		const sent = came.map(({ raw }) => raw.toString("latin1")).join("");
		for (const name of ["execute_tool pay", "gen_ai.tool.name", "service.instance.id", "holdpoint"])
			expect(sent).toContain(name);
		came.length = 0;
		const only = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "http/protobuf" };
		await heldRun(async () => [await otlpTracing({ env: only })]);
		const types = new Set(came.map(({ path, type }) => `${path} ${type}`));
		expect(types).toEqual(new Set(["/v1/traces application/json", "/v1/metrics application/x-protobuf"]));
	});

	test("whose it is: the service, this process, and what OTEL_RESOURCE_ATTRIBUTES says", async () => {
		const to = await sentWith((endpoint) => ({
			OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
			OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test%2C1, service.name=other",
			OTEL_SERVICE_NAME: "shop",
		}));
		const resources = to.resources.map(plain);
		expect(resources.length).toBeGreaterThan(1);
		for (const resource of resources) {
			expect(resource).toMatchObject({ "service.name": "shop", "deployment.environment.name": "test,1" });
			expect(resource["service.instance.id"]).toMatch(/^[0-9a-f-]{36}$/);
		}
		expect(new Set(resources.map((resource) => resource["service.instance.id"])).size).toBe(1);
	});

	test("OTEL_EXPORTER_OTLP_TIMEOUT says how long the end waits", async () => {
		const asked = Promise.withResolvers<void>();
		const endpoint = await listen(() => asked.resolve());
		const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_TIMEOUT: "70" };
		const waited = vi.spyOn(globalThis, "setTimeout");
		await heldRun(async () => [await otlpTracing({ env })]);
		const delays = waited.mock.calls.map(([, ms]) => ms);
		waited.mockRestore();
		expect(delays).toContain(70);
		expect(delays).not.toContain(2_000);
		await asked.promise;
	});

	test.each([
		["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "only http/json and http/protobuf"],
		["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "json", "only http/json and http/protobuf"],
		["OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "OTEL_EXPORTER_OTLP_TIMEOUT"],
		["OTEL_RESOURCE_ATTRIBUTES", "shop", "OTEL_RESOURCE_ATTRIBUTES"],
		["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector", "no http URL"],
	])("%s=%s is refused", async (name, value, says) => {
		const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", [name]: value };
		await expect(otlpTracing({ env })).rejects.toMatchObject({
			code: "config.invalid",
			message: expect.stringContaining(says),
		});
	});

	test.each([
		{ timeoutMs: 0 },
		{ timeoutMs: Number.NaN },
		{ timeoutMs: -5 },
		{ metricsEveryMs: 0 },
		{ metricsEveryMs: Number.POSITIVE_INFINITY },
		{ endpoint: "" },
		{ endpoint: "http://127.0.0.1:9?key=1" },
		{ env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9/#x" } },
	])("%j is refused", async (options) => {
		await expect(
			otlpTracing({
				endpoint: "http://127.0.0.1:9",
				env: {},
				...options,
				...("env" in options ? { endpoint: undefined as never } : {}),
			}),
		).rejects.toMatchObject({ code: "config.invalid" });
	});

	test("a space around an address means nothing, and neither does an address of spaces", async () => {
		const to = await sentWith((endpoint) => ({
			OTEL_EXPORTER_OTLP_ENDPOINT: ` ${endpoint} `,
			OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: " ",
		}));
		expect(pathsOf(to)).toEqual([true, true]);
	});

	test("what was said in a run that is erased before it was sent is not sent; of others it is", async () => {
		const to = await collector();
		const exporter = await otlpTracing({ endpoint: to.endpoint });
		const root = (run: string): Span => ({
			traceId: run.repeat(32),
			spanId: run.repeat(16),
			parentSpanId: undefined,
			name: `invoke_agent ${run}`,
			kind: "internal",
			start: 1,
			end: undefined,
			attributes: { "holdpoint.run.id": run },
			events: [],
			links: [],
			status: { code: "unset" },
		});
		for (const run of ["a", "b", "c"]) exporter.began?.(root(run));
		for (const run of ["a", "b"]) exporter.ended({ ...root(run), end: 2 });
		await exporter.forget?.("a");
		await exporter.forget?.("c");
		exporter.ended({ ...root("c"), end: 2 });
		await exporter.close();
		expect(to.spans.map(({ name }) => name)).toEqual(["invoke_agent b"]);
	});

	test("what the collector says against it is said once, and not what was sent", async () => {
		const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
		const endpoint = await listen((_, response) => response.writeHead(401).end("no: what jane said"));
		await heldRun(async () => [await otlpTracing({ endpoint, timeoutMs: 500 })]);
		const warnings = warned.mock.calls.map(([text]) => String(text));
		warned.mockRestore();
		// Two harnesses with an exporter each.
		expect(warnings.filter((text) => text.startsWith("Traces were not taken by the collector: 401"))).toHaveLength(2);
		expect(warnings.join()).not.toContain("jane");
	});

	test.each([
		["console", [false, true]],
		["zipkin, OTLP", [true, true]],
	])("OTEL_TRACES_EXPORTER=%s", async (value, sent) => {
		const to = await sentWith((endpoint) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: value }));
		expect(pathsOf(to)).toEqual(sent);
	});

	test("an endpoint that is none is refused", async () => {
		await expect(otlpTracing({ endpoint: "collector:4318" })).rejects.toMatchObject({ code: "config.invalid" });
	});
});

describe("with an SDK of the user's own", () => {
	test("its ids stay its own, and segments of one process are linked", async () => {
		const ended: { name: string; traceId: string; spanId: string; links: unknown[] }[] = [];
		const keeps = {
			onStart: () => undefined,
			onEnd: (span: {
				name: string;
				spanContext(): { traceId: string; spanId: string };
				links: { context: object }[];
			}) =>
				void ended.push({ name: span.name, ...span.spanContext(), links: span.links.map(({ context }) => context) }),
			forceFlush: async () => undefined,
			shutdown: async () => undefined,
		};
		const provider = new TracerProvider({ spanProcessors: [keeps as never] });
		const exporter = openTelemetry({ tracer: provider.getTracer("mine") });
		const recorder = traceRecorder();
		await heldRun(async () => [exporter, recorder]);
		const roots = ended.filter(({ name }) => name === "invoke_agent tester");
		expect(roots).toHaveLength(2);
		const ours = new Set(recorder.spans.map(({ traceId }) => traceId));
		expect(roots.some(({ traceId }) => ours.has(traceId))).toBe(false);
		const [first, second] = roots;
		expect(first?.links).toEqual([]);
		expect(second?.links).toMatchObject([{ traceId: first?.traceId, spanId: first?.spanId }]);
		expect(new Set(ended.map(({ traceId }) => traceId)).size).toBe(2);
	});

	test("without any SDK nothing happens", async () => {
		const { status } = await heldRun(async () => [openTelemetry()]);
		expect(status).toBe("completed");
	});
});

test.each(["@opentelemetry/api", "@opentelemetry/sdk-metrics"])("where %s is not installed, that is said", (name) => {
	const code = `
		const { registerHooks } = await import("node:module");
		registerHooks({
			resolve(specifier, context, next) {
				if (specifier !== ${JSON.stringify(name)}) return next(specifier, context);
				throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
			},
		});
		const { otlpTracing } = await import(${JSON.stringify(new URL("./otlp.ts", import.meta.url).href)});
		await otlpTracing().catch(({ code, hint }) => console.log(code, hint));`;
	const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
	expect(stderr).toBe("");
	expect(stdout).toMatch(/^config\.invalid npm install @opentelemetry\/api /);
});
