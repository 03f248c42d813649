import { createContext, runInContext } from "node:vm";
import { expect, test } from "vitest";
import { deliveryMessage, startMessage } from "../../../spec/guest-messages.ts";
import { defaultProgramLimits } from "../../../spec/limits.ts";
import { bufferBytes, guestScript, hyperlightGuest, pieceChars } from "./guest-script.ts";

/**
 * The script in this process's own engine, with what Hyperlight's has and lacks: three frozen globals, an accessor of
 * `prepareStackTrace`, which every stack goes through. Hyperlight's own engine is tried by `npm run test:svm`.
 */
const surroundings = `
	let prepare;
	Object.defineProperty(Error, "prepareStackTrace", { get: () => prepare, set: (value) => { prepare = value; }, configurable: true });
	const frame = (file, line) => ({ getFileName: () => file, getLineNumber: () => line });
	Error.captureStackTrace = (target) => { target.stack = prepare(target, [frame("native", 1), frame("<input>", 7)]); };
	for (const [name, value] of Object.entries({ console: Object.freeze({ log: () => {} }), print: () => {}, require: () => {} })) {
		Object.defineProperty(globalThis, name, { value, writable: false, configurable: false });
	}`;

type Handler = (order: readonly unknown[]) => unknown;

async function guest(source: string, clockMs = 0) {
	const context = createContext({}, { microtaskMode: "afterEvaluate" });
	runInContext(surroundings, context);
	const handler = runInContext(`(() => {${guestScript.replace("export { handler };", "return handler;")}})()`, context);
	// As in the machine: jobs run until none is left before the call is over.
	const call: Handler = (order) => runInContext("(handler, order) => handler(order)", context)(handler, order);
	const drain = (): string => {
		runInContext("", context);
		let text = "";
		for (let piece = String(call(["drain"])); ; piece = String(call(["more"]))) {
			expect(piece.length).toBeLessThanOrEqual(pieceChars + 1);
			expect(piece.isWellFormed()).toBe(true);
			expect(Buffer.byteLength(JSON.stringify(JSON.stringify(piece)))).toBeLessThan(bufferBytes);
			text += piece.slice(1);
			if (piece.startsWith(".")) return text;
		}
	};
	const spec = { source, tools: ["search"], seed: 1, clockMs, limits: defaultProgramLimits, principal: "p" };
	const message = startMessage(spec);
	call(["part", message.slice(0, 5)]);
	call(["part", message.slice(5, 9)]);
	call(["start", message.slice(9), clockMs]);
	return { first: drain(), call, drain };
}

const answer = (n: number, ok: string) => deliveryMessage([{ n, ok }], defaultProgramLimits);

test("runs a program, asks, and goes on with the answer", async () => {
	const { first, call, drain } = await guest(
		"const x = await tools.search({ q: 1 }); console.log('hi', x); return x + 1;",
	);
	expect(first).toBe('a 1 7 "search" {"q":1}\no');
	expect(call(["deliver", answer(7, "1"), 5])).toBe(7);
	call(["deliver", answer(1, "41"), 5]);
	expect(drain()).toBe('c "hi 41"\nr 42');
});

test("gives a program a console of its own, and neither print nor require", async () => {
	const source = "console.info('seen'); return [typeof print, typeof require, typeof arguments, typeof $text];";
	expect((await guest(source)).first).toBe('c "seen"\nr ["undefined","undefined","undefined","string"]');
	expect(
		(await guest("return this === globalThis && (() => { try { x = 1; return true; } catch { return false; } })();"))
			.first,
	).toBe("r true");
});

test("the clock stands still between deliveries, in all the ways there are to read it", async () => {
	const source = `
		class Own extends Date {}
		const read = () => [Date.now(), +new Date(), +new Own(), Date.parse(Date()), new (new Date().constructor)().getTime(), performance.now()];
		const before = read(); await tools.search(); return [before, read(), new Date(0).getTime(), new Date() instanceof Date];`;
	const { call, drain } = await guest(source, 9_000);
	call(["deliver", answer(1, "1"), 12_000]);
	const [before, after] = [9_000, 12_000].map((ms) => [ms, ms, ms, ms, ms, ms - 9_000]);
	expect(drain()).toBe(`r ${JSON.stringify([before, after, 0, true])}`);
});

test("a long outbox leaves in pieces, no pair of surrogates cut", async () => {
	const { first } = await guest(`return '😀'.repeat(${pieceChars})`);
	expect(JSON.parse(first.slice(2))).toBe("😀".repeat(pieceChars));
});

test("spoiled built-ins change neither what leaves nor how", async () => {
	const source = `
		Object.prototype.toJSON = String.prototype.toJSON = () => 'evil'; eval = Date.now = () => 'evil';
		for (const key of Object.getOwnPropertyNames(globalThis)) if (!['tools', 'Array', 'String', 'Reflect', 'Symbol'].includes(key)) try { delete globalThis[key]; } catch {}
		Array.prototype[Symbol.iterator] = String.prototype.slice = String.prototype.charCodeAt = Reflect.construct = () => { throw 1; };
		tools.search(5); return 1;`;
	expect((await guest(source)).first).toBe('a 1 7 "search" 5\nr 1');
});

test("its name is a digest", () => {
	expect(hyperlightGuest).toMatch(/^[0-9a-f]{64}$/);
});
