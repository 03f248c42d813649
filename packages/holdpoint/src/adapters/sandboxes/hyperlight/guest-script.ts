/**
 * The script that a Hyperlight guest runs: the prelude of every provider, and the little that this engine lacks for it.
 *
 * Hyperlight knows calls of one function with one JSON value, so a slice is two or more of them:
 * `["part", text]`* appends to a long message; `["start" | "deliver", text, clockMs]` begins the slice, returns the number
 * of a call that is not open, or returns a promise that never settles: the engine then runs jobs until none is left, and
 * the call fails with `WouldBlock`; `["drain"]` and then `["more"]`* return the outbox in pieces, each behind a `+`, the last
 * behind a `.` (a text and no object: the engine would look for the program's `toJSON` on that).
 * Nothing here ever calls the host.
 */
import { hash } from "node:crypto";
import { guestPrelude } from "../../../spec/guest.ts";
import { hostApiPackage, hostApiVersion } from "./host-api.ts";

export const handlerName = "holdpoint";
/** Longest text in one call. UTF-16 units; each is at most 12 bytes, as JSON in JSON. */
export const pieceChars = 65_536;
/** Bytes of one call, in either direction. */
export const bufferBytes = 1_048_576;

export const guestScript = `
"use strict";
const world = globalThis, PromiseOf = Promise, DateOf = Date, ErrorOf = Error, ProxyOf = Proxy;
const uncurry = Function.prototype.bind.bind(Function.prototype.call);
const slice = uncurry(String.prototype.slice), codeAt = uncurry(String.prototype.charCodeAt);
const dateText = uncurry(Date.prototype.toString);
const { construct } = Reflect;
const { defineProperty } = Object;
const hidden = (target, key, value) =>
	defineProperty(target, key, { __proto__: null, value, writable: true, configurable: true });

// What would tell a program of the collector.
delete globalThis.WeakRef;
delete globalThis.FinalizationRegistry;

// The engine's clock runs, and a program's stands still between two deliveries.
let now = 0, origin = 0;
const Clock = new ProxyOf(DateOf, {
	__proto__: null,
	apply: () => dateText(new DateOf(now)),
	construct: (_, values, target) => construct(DateOf, values.length === 0 ? [now] : values, target),
});
hidden(DateOf, "now", () => now);
hidden(DateOf.prototype, "constructor", Clock);
hidden(globalThis, "Date", Clock);
hidden(globalThis, "performance", { now: () => now - origin });

// The prelude limits the frames of a stack to tell the line of a call, and this engine has no such limit: it gets the last
// of those frames alone, from the engine and not from a text that holds names of the program's. And it writes stacks with
// an accessor that this engine does not have.
const { captureStackTrace } = Error;
const setPrepare = uncurry(Object.getOwnPropertyDescriptor(Error, "prepareStackTrace").set);
let framesMax = 1;
const lastFrame = (_, sites) => {
	if (sites.length < framesMax) return "";
	const site = sites[framesMax - 1];
	return site.getFileName() === "<input>" ? "(<input>:" + site.getLineNumber() + ":1)\\n" : "";
};
Error.captureStackTrace = (target, callee) => {
	setPrepare(ErrorOf, lastFrame);
	captureStackTrace(target, callee);
	setPrepare(ErrorOf, undefined);
};
defineProperty(Error, "stackTraceLimit", { __proto__: null, set: (frames) => void (framesMax = frames), configurable: true });
const setStack = function (stack) {
	hidden(this, "stack", stack);
};
defineProperty(Error.prototype, "stack", { __proto__: null, set: setStack, configurable: true });

// Three globals of this engine are frozen: console, print and require. A program has others around it, in the scope of a
// direct eval, which moves no line and no column of it.
let programConsole;
const within = Function("console", "print", "require", "$text", "var arguments; arguments = undefined; return eval($text)");
const evalOf = eval;
globalThis.eval = (text) => within(programConsole, undefined, undefined, text);
Object.defineProperty = (target, key, descriptor) => {
	if (target !== world || key !== "console") return defineProperty(target, key, descriptor);
	programConsole = descriptor.value;
	return target;
};
const [start, deliver, drain] = ${guestPrelude};
globalThis.eval = evalOf;
Object.defineProperty = defineProperty;
Error.captureStackTrace = captureStackTrace;
delete Error.prototype.stack;

let message = "", outbox = "";
const piece = () => {
	let end = ${pieceChars};
	// A pair that is cut in two is no text that can leave.
	if (outbox.length > end && (codeAt(outbox, end - 1) & 0xfc00) === 0xd800) end--;
	const text = slice(outbox, 0, end);
	outbox = slice(outbox, end);
	return (outbox === "" ? "." : "+") + text;
};
const begin = (isFirst, text, clock) => {
	const whole = message + text;
	message = "";
	now = clock;
	if (isFirst) {
		origin = clock;
		start(whole);
	} else {
		const unknown = deliver(whole);
		if (unknown !== 0) return unknown;
	}
	return new PromiseOf(() => {});
};
function handler(order) {
	switch (order[0]) {
		case "part":
			message += order[1];
			return 0;
		case "drain":
			outbox = drain();
			return piece();
		case "more":
			return piece();
		case "start":
		case "deliver":
			return begin(order[0] === "start", order[1], order[2]);
	}
}
export { handler };
`;

/** Digest of the engine, as its package names it, and of this script. */
export const hyperlightGuest: string = hash("sha256", `${hostApiPackage}@${hostApiVersion}\n${guestScript}`);
