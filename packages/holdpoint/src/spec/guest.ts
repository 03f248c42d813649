/**
 * The guest's half of the protocol between a host and a program: the prelude, which runs before the program in the same
 * engine. The host's half is in guest-messages.ts. Every provider uses these two and adds no dialect of its own.
 *
 * A provider evaluates `guestPrelude` once in a fresh engine; its value is the array `[start, deliver, drain]`. For each
 * slice it calls `start(text)` or `deliver(text)`, runs jobs until none is left, and reads `drain()`, one text.
 * The host is never called from inside a slice. `Date` reads the engine's clock, which the provider holds still.
 *
 * Invariants
 * 1. All that must survive a wait (resolvers of open calls, counters, the random state) lives in guest memory.
 * 2. The prelude captured its primordials before the program ran. It never calls a method that it looks up on a
 *    program-visible object, and never writes an array by index: both would run the program's code with ours.
 * 3. A line of the outbox holds only digits and JSON texts made here, so that no program can forge one.
 * 4. The host trusts none of this: it reads the outbox as hostile text.
 */

/** Ends console output that was cut at its limit. */
export const consoleCutNote = "[more console output was dropped]";

/** What is told of a thrown error: of its name, its message and its stack each. Characters. */
export const thrownCharsMax = 4_000;

/** Source of the prelude: a script of plain JavaScript that needs no host object. */
export const guestPrelude: string = String.raw`(() => {
"use strict";
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const PromiseOf = Promise, TypeErrorOf = TypeError, ErrorOf = Error, RangeErrorOf = RangeError, text = String;
const MapOf = Map, ProxyOf = Proxy;
const captureStack = Error.captureStackTrace;
const { parse, stringify } = JSON;
const { defineProperty, freeze, hasOwn } = Object;
const isError = Error.isError, evaluate = eval;
const slice = uncurry(String.prototype.slice), indexOf = uncurry(String.prototype.indexOf);
const lastIndexOf = uncurry(String.prototype.lastIndexOf);
const codeAt = uncurry(String.prototype.charCodeAt);
const mapGet = uncurry(Map.prototype.get), mapSet = uncurry(Map.prototype.set);
const mapHas = uncurry(Map.prototype.has), mapDelete = uncurry(Map.prototype.delete);
const setStack = uncurry(Object.getOwnPropertyDescriptor(Error.prototype, "stack").set);
const setFramesMax = uncurry(Object.getOwnPropertyDescriptor(Error, "stackTraceLimit").set);
// A program that could hook the making of stacks would run inside our calls, and see our frames.
delete Error.prepareStackTrace;
delete Error.stackTraceLimit;
delete globalThis.SharedArrayBuffer;

class ToolDenied extends Error {}
class ToolFailed extends Error {}
const hidden = (target, key, value) =>
	defineProperty(target, key, { __proto__: null, value, writable: true, configurable: true });
for (const [kind, name] of [[ToolDenied, "ToolDenied"], [ToolFailed, "ToolFailed"]]) {
	hidden(kind.prototype, "name", name);
	hidden(globalThis, name, kind);
	freeze(kind.prototype);
	freeze(kind);
}

let limits = null, consoleLeft = 0, asked = 0, open = 0;
let printed = "", asks = "", state = "";
const pending = new Map();

const finish = (line) => { if (state === "") state = line; };
const stop = (limit, message) => {
	finish("s " + limit + " " + stringify(message));
	throw new RangeErrorOf(message);
};

const show = (value) => {
	if (typeof value === "string") return value;
	try {
		if (isError(value)) return text(value.name) + ": " + text(value.message);
		if (typeof value === "function") return "[function]";
		return (typeof value === "object" && stringify(value)) || text(value);
	} catch {
		return "[object that cannot be shown]";
	}
};
const field = (value, key) => {
	try {
		const found = value[key];
		return typeof found === "string" ? slice(found, 0, ${thrownCharsMax}) : undefined;
	} catch {}
};
const thrownLine = (name, message, trace) =>
	"t {\"name\":" + stringify(name) + ",\"message\":" + stringify(message) + ",\"stack\":" + stringify(trace) + "}";
const failure = (thrown) => {
	const name = field(thrown, "name") || "Error";
	const message = field(thrown, "message") ?? slice(show(thrown), 0, ${thrownCharsMax});
	return thrownLine(name, message, field(thrown, "stack") ?? "");
};

// The place at the very end of one frame. What stands before it, the name of a function, is the program's own text.
const lineAtEnd = (frame) => {
	let at = lastIndexOf(frame, "(<input>:") + 9, n = 0, code;
	if (at < 9) return 0;
	for (; n < 1e6 && (code = codeAt(frame, at) - 48) >= 0 && code <= 9; at++) n = n * 10 + code;
	if (code !== 10) return 0;
	while ((code = codeAt(frame, ++at) - 48) >= 0 && code <= 9);
	return code === -7 && at + 2 >= frame.length ? n : 0;
};
// The program's line that called "callee". Frames are what a stack costs: the second one, where a built-in like "map"
// stands between, is looked at only then.
const holder = { __proto__: null };
const lineWithin = (callee, frames) => {
	setFramesMax(ErrorOf, frames);
	captureStack(holder, callee);
	setFramesMax(ErrorOf, 10);
	return lineAtEnd(holder.stack);
};
const lineOf = (callee) => lineWithin(callee, 1) || lineWithin(callee, 2);

const rejected = (message) => new PromiseOf((_, reject) => {
	const error = new ToolFailed(message);
	hidden(error, "code", "tool.args_invalid");
	reject(error);
});
const ask = ({ name, quoted, callee }, value) => {
	let json;
	try {
		json = value === undefined ? "" : stringify(value);
	} catch (thrown) {
		return rejected("tools." + name + ": the argument cannot be sent as JSON (" + show(thrown) + ")");
	}
	if (json === undefined) return rejected("tools." + name + ": a " + typeof value + " cannot be sent as JSON");
	if (state !== "") throw new RangeErrorOf("The program is over");
	if (json.length >= limits.value) {
		stop("value", "An argument of tools." + name + " has " + limits.value + " bytes or more");
	}
	if (asked >= limits.calls) stop("calls", "The program made more than " + limits.calls + " tool calls");
	if (open >= limits.open) stop("openCalls", "More than " + limits.open + " tool calls were open at the same time");
	const line = lineOf(callee);
	return new PromiseOf((resolve, reject) => {
		const call = { resolve, reject, line };
		const entry = "a " + (asked + 1) + " " + line + " " + quoted + " " + json + "\n";
		mapSet(pending, asked + 1, call);
		asks += entry;
		asked++;
		open++;
	});
};

const print = (...values) => {
	if (consoleLeft < 0) return;
	let line = "";
	for (let i = 0; i < values.length && line.length <= consoleLeft; i++) line += (i ? " " : "") + show(values[i]);
	const kept = slice(line, 0, consoleLeft);
	consoleLeft -= line.length + 1;
	printed += "c " + stringify(consoleLeft < 0 ? kept + "\n${consoleCutNote}" : kept) + "\n";
};
const consoleObject = {};
for (const level of ["log", "info", "warn", "error", "debug"]) hidden(consoleObject, level, print);
hidden(globalThis, "console", consoleObject);

// Made when a program first names it: most programs use few of the tools that they may.
const toolOf = (granted, made, name) => {
	if (!(name in granted)) {
		if (typeof name === "symbol" || name === "then" || name === "toJSON") return undefined;
		throw new TypeErrorOf("tools." + name + " is not a tool of this program (tools.$search(text) finds those that are)");
	}
	const callee = (value) => ask(tool, value);
	const tool = { name, quoted: stringify(name), callee };
	mapSet(made, name, callee);
	return callee;
};
const refuse = () => false;
const grant = (names) => {
	const granted = { __proto__: null }, made = new MapOf();
	for (let i = 0; i < names.length; i++) granted[names[i]] = true;
	const tools = new ProxyOf(granted, {
		__proto__: null,
		get: (_, key) => mapGet(made, key) ?? toolOf(granted, made, key),
		defineProperty: refuse,
		deleteProperty: refuse,
		setPrototypeOf: refuse,
		preventExtensions: refuse,
	});
	defineProperty(globalThis, "tools", { __proto__: null, value: tools, writable: false, configurable: false });
};
// In its place before there is a program: the engine lays the global object out anew when it gets another property.
hidden(globalThis, "tools", undefined);

// sfc32: small, fast, passes the usual statistical batteries.
let ra = 0, rb = 0, rc = 0, rd = 0;
const nextRandom = () => {
	const t = (ra + rb + rd) | 0;
	rd = (rd + 1) | 0;
	ra = rb ^ (rb >>> 9);
	rb = (rc + (rc << 3)) | 0;
	rc = (((rc << 21) | (rc >>> 11)) + t) | 0;
	return t >>> 0;
};
const seedRandom = (seed) => {
	ra = seed | 0;
	rb = 0x9e3779b9 | 0;
	rc = 0x243f6a88;
	rd = 1;
	for (let i = 0; i < 12; i++) nextRandom();
};
hidden(Math, "random", () => ((nextRandom() >>> 5) * 67108864 + (nextRandom() >>> 6)) / 9007199254740992);

const run = async (body) => {
	let line;
	try {
		const promise = body();
		// "await" looks this up on the promise, where a program can put anything.
		hidden(promise, "constructor", PromiseOf);
		const value = await promise;
		const json = value === undefined ? "null" : stringify(value);
		if (json === undefined) throw new TypeErrorOf("The program returned a " + typeof value + ", which JSON cannot carry");
		line = json.length >= limits.value
			? "s value " + stringify("The program's value has " + limits.value + " bytes or more")
			: "r " + json;
	} catch (thrown) {
		line = failure(thrown);
	}
	finish(line);
};

const start = (message) => {
	const program = parse(message);
	limits = program.limits;
	consoleLeft = limits.console;
	seedRandom(program.seed);
	grant(program.tools);
	try {
		const body = evaluate("(async () => {" + program.source + "\n})");
		run(body);
	} catch (thrown) {
		finish(failure(thrown));
	}
};

// "<header JSON>\n<payloads>"; the header is an array [n, kind, length, n, kind, length, ...].
const deliver = (message) => {
	let at = indexOf(message, "\n");
	const header = parse(slice(message, 0, at++));
	for (let i = 0; i < header.length; i += 3) if (!mapHas(pending, header[i])) return header[i];
	for (let i = 0; i < header.length; i += 3) {
		const n = header[i], call = mapGet(pending, n), payload = slice(message, at, at += header[i + 2]);
		mapDelete(pending, n);
		open--;
		if (header[i + 1] === 1) fail(call, parse(payload));
		else settle(call, payload, header[i + 1] === 2);
	}
	return 0;
};
// An approver may have changed what was asked: the result says so, without being another value for it.
const settle = (call, payload, isEdited) => {
	let value;
	try {
		value = parse(payload);
	} catch (thrown) {
		const message = "The result cannot be read as JSON (" + show(thrown) + ")";
		return fail(call, { name: "ToolFailed", message, code: "tool.result_invalid" });
	}
	if (isEdited && typeof value === "object" && value !== null && !hasOwn(value, "edited")) hidden(value, "edited", true);
	call.resolve(value);
};
const fail = (call, fault) => {
	// Each field is there: one that is not would be looked for where a program can put it.
	const error = new (fault.name === "ToolDenied" ? ToolDenied : ToolFailed)(fault.message);
	if (fault.code !== null) hidden(error, "code", fault.code);
	setStack(error, "    at <input>:" + call.line + ":0\n");
	call.reject(error);
};

const drain = () => {
	if (state === "" && open === 0) {
		finish(thrownLine("NeverSettles", "The program awaits a promise that nothing can settle: no tool call is open", ""));
	}
	const left = printed + (codeAt(state, 0) === 115 ? "" : asks) + (state || "o");
	printed = asks = "";
	return left;
};

return [start, deliver, drain];
})()`;
