/** What OpenTelemetry's variables say of OTLP. Nothing of OpenTelemetry is loaded for it. */
import { HoldpointError } from "../../../spec/errors.ts";

export type Environment = { readonly [name: string]: string | undefined };

const signals = { traces: "/v1/traces", metrics: "/v1/metrics" } as const;
export type Signal = keyof typeof signals;
const both: readonly Signal[] = ["traces", "metrics"];

const localCollector = "http://127.0.0.1:4318";
const timeoutDefaultMs = 2_000;
export const timeoutMaxMs = 600_000;
const attributesMax = 128;

/** `OTEL_TRACES_EXPORTER=none`, `OTEL_METRICS_EXPORTER=none`, or anything else in which there is no `otlp`. */
function isOff(env: Environment, signal: Signal): boolean {
	const wanted = exportersFor(env, signal);
	return wanted.length > 0 && !wanted.includes("otlp");
}

function exportersFor(env: Environment, signal: Signal): readonly string[] {
	const names = (env[`OTEL_${signal.toUpperCase()}_EXPORTER`] ?? "").split(",");
	return names.map((name) => name.trim().toLowerCase()).filter((name) => name !== "");
}

/** Where a collector is named, and something else than it is asked for: in words. */
export function unspokenExporters(env: Environment): readonly string[] {
	return both.flatMap((signal) => {
		const unspoken = exportersFor(env, signal).filter((name) => name !== "otlp" && name !== "none");
		if (unspoken.length === 0 || namedFor(env, signal) === undefined) return [];
		const given = `OTEL_${signal.toUpperCase()}_EXPORTER=${unspoken.join(",").slice(0, 80)}`;
		return [`${given} is not known here: ${signal} are sent over otlp or not at all`];
	});
}

/** Somebody named a collector, and wants something sent there. */
export function isOtlpWanted(env: Environment): boolean {
	if (env["OTEL_SDK_DISABLED"]?.trim().toLowerCase() === "true") return false;
	return both.some((signal) => !isOff(env, signal) && namedFor(env, signal) !== undefined);
}

/** That of one signal is whole; below that of all the signal's path is added. */
function namedFor(env: Environment, signal: Signal): string | undefined {
	const own = `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`;
	if (env[own]?.trim()) return httpAddress(own, env[own]);
	const all = "OTEL_EXPORTER_OTLP_ENDPOINT";
	return env[all]?.trim() ? below(all, env[all], signal) : undefined;
}

function below(what: string, text: string, signal: Signal): string {
	const base = httpAddress(what, text);
	if (/[?#]/.test(base)) {
		const hint = `The signal's path comes after it. For a whole address set OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT.`;
		throw invalid(`${what} has a query or a fragment`, hint);
	}
	return `${base.replace(/\/+$/, "")}${signals[signal]}`;
}

/** Where a signal is sent; undefined: it is not. `endpoint` goes before what the variables name. Errors: `config.invalid`. */
export function addressOf(env: Environment, signal: Signal, endpoint?: string): string | undefined {
	if (isOff(env, signal)) return undefined;
	if (endpoint !== undefined) return below("The OTLP endpoint", endpoint, signal);
	const other: Signal = signal === "traces" ? "metrics" : "traces";
	// Who names an address for one signal alone has said where the other one goes: nowhere.
	return (
		namedFor(env, signal) ??
		(namedFor(env, other) === undefined ? below("The OTLP endpoint", localCollector, signal) : undefined)
	);
}

function httpAddress(what: string, given: string): string {
	const text = given.trim();
	const { protocol } = URL.parse(text) ?? {};
	if (protocol === "http:" || protocol === "https:") return text;
	throw invalid(`${what} ${JSON.stringify(text.slice(0, 200))} is no http URL`, "Such as http://127.0.0.1:4318.");
}

const protocols = ["http/json", "http/protobuf"] as const;
/** Both are posted to the same address. */
export type Protocol = (typeof protocols)[number];

/** Default: `http/json`. Errors: `config.invalid` where OTLP over something else than HTTP is asked for. */
export function protocolOf(env: Environment, signal: Signal): Protocol {
	const names = [`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_PROTOCOL`, "OTEL_EXPORTER_OTLP_PROTOCOL"];
	const name = names.find((one) => env[one]);
	const wanted = name === undefined ? undefined : env[name]?.trim();
	if (name === undefined) return "http/json";
	const spoken = protocols.find((protocol) => protocol === wanted);
	if (spoken !== undefined) return spoken;
	throw invalid(
		`${name} asks for ${JSON.stringify(wanted?.slice(0, 40))}, and only ${protocols.join(" and ")} are spoken here`,
		"Set it to one of these, and the endpoint to the collector's port for HTTP, mostly 4318.",
	);
}

/** Milliseconds. Errors: `config.invalid`. */
export function timeoutOf(env: Environment, signal: Signal): number {
	const names = [`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_TIMEOUT`, "OTEL_EXPORTER_OTLP_TIMEOUT"];
	const name = names.find((one) => env[one]);
	if (name === undefined) return timeoutDefaultMs;
	const ms = Number(env[name]);
	if (Number.isSafeInteger(ms) && ms > 0 && ms <= timeoutMaxMs) return ms;
	throw invalid(
		`${name} is ${JSON.stringify(env[name]?.slice(0, 40))}`,
		`It takes milliseconds, from 1 to ${timeoutMaxMs}.`,
	);
}

/** Of OTEL_RESOURCE_ATTRIBUTES: `key=value,…`, percent-encoded; OTEL_SERVICE_NAME goes before it. Errors: `config.invalid`. */
export function resourceAttributesOf(env: Environment): { readonly [name: string]: string } {
	const pairs = (env["OTEL_RESOURCE_ATTRIBUTES"] ?? "").split(",").filter((pair) => pair.trim() !== "");
	const attributes = pairs.slice(0, attributesMax).map((pair) => {
		const at = pair.indexOf("=");
		const decoded = at > 0 ? [pair.slice(0, at), pair.slice(at + 1)].map((text) => decodedOf(text.trim())) : [];
		const [name, value] = decoded;
		if (name && value !== undefined) return [name, value] as const;
		throw invalid(
			`OTEL_RESOURCE_ATTRIBUTES has ${JSON.stringify(pair.slice(0, 80))}`,
			"It takes key=value,key=value; other characters are percent-encoded.",
		);
	});
	const name = env["OTEL_SERVICE_NAME"];
	return { ...Object.fromEntries(attributes), ...(name ? { "service.name": name } : {}) };
}

function decodedOf(text: string): string | undefined {
	try {
		return decodeURIComponent(text);
	} catch {
		return undefined;
	}
}

function invalid(message: string, hint: string): HoldpointError {
	return new HoldpointError("config.invalid", message, { hint });
}
