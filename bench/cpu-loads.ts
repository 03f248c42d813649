/** Programs that compute and call nothing: the same text for every engine, each with what it must return. */
export interface CpuLoad {
	readonly name: string;
	readonly says: string;
	/** The body of a function. ES2020, so that old engines can run it. */
	readonly source: string;
	readonly value: number;
}

export const cpuLoads: readonly CpuLoad[] = [
	{
		name: "objects",
		says: "objects: properties by name and by text, spreads, keys",
		source: `let sum = 0;
for (let round = 0; round < 60; round++) {
	const byKey = {};
	for (let i = 0; i < 2000; i++) { const key = "k" + (i % 97); byKey[key] = (byKey[key] || 0) + i; }
	const rows = Array.from({ length: 400 }, (_, id) => ({ id, price: id * 3, tags: { a: id % 7, b: id % 5 } }));
	for (const row of rows) { const next = { ...row, price: row.price + 1 }; sum += next.price + next.tags.a - next.tags.b; }
	sum += Object.keys(byKey).length + Object.values(byKey)[3];
}
return sum;`,
		value: 15_643_620,
	},
	{
		name: "arrays",
		says: "arrays: map, filter, sort, reduce, slices",
		source: `let sum = 0;
for (let round = 0; round < 40; round++) {
	const all = Array.from({ length: 2000 }, (_, i) => (i * 7919) % 1009);
	const sorted = all.slice().sort((a, b) => a - b);
	const kept = sorted.filter((each) => each % 3 === 0).map((each) => each * 2);
	sum += kept.reduce((total, each) => total + each, 0) + all.indexOf(500) + sorted.slice(100, 200).length;
	const stack = []; for (let i = 0; i < 3000; i++) { stack.push(i); if (i % 3 === 0) stack.pop(); } sum += stack.length;
}
return sum;`,
		value: 27_039_440,
	},
	{
		name: "strings",
		says: "texts: joining, splitting, searching, replacing",
		source: `let sum = 0;
for (let round = 0; round < 40; round++) {
	let text = ""; for (let i = 0; i < 2500; i++) text += String.fromCharCode(97 + (i % 26));
	const words = text.split("m"); sum += words.length + words.join("-").length;
	for (let i = 0; i < text.length; i++) sum += text.charCodeAt(i) & 7;
	for (const word of words) sum += word.toUpperCase().indexOf("Z") + word.padStart(30, "x").trim().length;
	sum += text.replace("xyz", "abc").lastIndexOf("xyz") + \`\${round}:\${text.slice(0, 20)}\`.length;
}
return sum;`,
		value: 701_430,
	},
	{
		name: "maps",
		says: "`Map` and `Set`",
		source: `let sum = 0;
for (let round = 0; round < 40; round++) {
	const totals = new Map(); const seen = new Set();
	for (let i = 0; i < 3000; i++) { const key = "c" + (i % 301); totals.set(key, (totals.get(key) || 0) + i); seen.add(i % 77); }
	for (const [key, total] of totals) sum += total % 10 + key.length;
	for (const each of seen) sum += each;
	for (let i = 0; i < 300; i++) totals.delete("c" + i); sum += totals.size;
}
return sum;`,
		value: 220_840,
	},
	{
		name: "calls",
		says: "functions, closures, methods, exceptions",
		source: `const fib = (n) => n < 2 ? n : fib(n - 1) + fib(n - 2);
class Account { constructor() { this.total = 0; } add(n) { this.total += n; return this; } get half() { return this.total / 2; } }
const adders = Array.from({ length: 50 }, (_, i) => (n) => n + i);
let sum = fib(26);
for (let round = 0; round < 300; round++) {
	const account = new Account(); for (let i = 0; i < 100; i++) account.add(i).add(1);
	sum += account.half; for (const adder of adders) sum = adder(sum);
	try { if (round % 2) throw new Error("odd"); } catch (error) { sum += error.message.length; }
}
return sum;`,
		value: 1_246_843,
	},
	{
		name: "numbers",
		says: "whole numbers and floating point",
		source: `let sum = 0;
for (let y = 0; y < 60; y++) for (let x = 0; x < 60; x++) {
	let a = 0, b = 0, n = 0; const u = x / 30 - 1.5, v = y / 30 - 1;
	while (n < 60 && a * a + b * b < 4) { const t = a * a - b * b + u; b = 2 * a * b + v; a = t; n++; }
	sum += n;
}
const sieve = new Uint8Array(60000);
for (let i = 2; i < sieve.length; i++) if (!sieve[i]) { sum++; for (let j = i * 2; j < sieve.length; j += i) sieve[j] = 1; }
let hash = 7; for (let i = 0; i < 200000; i++) hash = (hash * 31 + i) | 0;
return sum + (hash & 1023) + Math.floor(Math.sqrt(sum) * 1000);`,
		value: 436_840,
	},
	{
		name: "regexps",
		says: "regular expressions",
		source: `let sum = 0;
const log = Array.from({ length: 200 }, (_, i) => "2026-01-" + (10 + i % 20) + " user" + i + "@example.com paid " + i * 3 + ".50 EUR").join("\\n");
for (let round = 0; round < 12; round++) {
	for (const match of log.matchAll(/(\\d{4})-(\\d\\d)-(\\d\\d) (\\w+)@([\\w.]+) paid (\\d+)\\.(\\d+)/g)) sum += Number(match[6]) + match[4].length;
	sum += log.replace(/user(\\d+)/g, "u$1").length + log.split(/\\s+/).length;
	sum += /user199@.*EUR$/.test(log) ? 1 : 0;
}
return sum;`,
		value: 847_704,
	},
	{
		name: "json",
		says: "JSON, both ways",
		source: `let sum = 0;
const orders = Array.from({ length: 300 }, (_, id) => ({ id, name: "item-" + id, price: id * 3.5, tags: ["a", "b", "c"], to: { city: "Ulm", zip: null } }));
for (let round = 0; round < 12; round++) {
	const text = JSON.stringify(orders); sum += text.length;
	for (const order of JSON.parse(text)) sum += order.price + order.tags.length + order.to.city.length;
}
return sum;`,
		value: 2_240_856,
	},
];
