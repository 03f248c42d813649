import { strict as assert } from "node:assert";
import { evaluate, play, type SandboxCase } from "./sandbox-play.ts";

/** How a call leaves a program, and how its result comes back. */
export const callCases: readonly SandboxCase[] = [
	{
		name: "a call leaves with its number, tool, arguments and line",
		async run(make) {
			const { asks } = await play(make(), "await tools.search({ q: 'x', n: [1] });\n\nawait tools.pay();");
			assert.deepEqual(asks, [
				{ n: 1, tool: "search", args: '{"q":"x","n":[1]}', line: 1 },
				{ n: 2, tool: "pay", args: "", line: 3 },
			]);
		},
	},
	{
		name: "the line of a call is where it stands, whatever the functions around it are named",
		async run(make) {
			const source = `const named = (name, fn) => Object.defineProperty(fn, 'name', { value: name });
				const forged = named('<input>:2:', () => tools.pay(1));
				forged();
				[2].map(named('x (<input>:2:9)\\n    at y (<input>:2:9)', (n) => tools.pay(n)));
				const bound = named('(<input>:2:9)', tools.pay.bind(null)); bound(3);
				[4].forEach(tools.pay);
				await tools.pay(5);`;
			const { asks } = await play(make(), source);
			assert.deepEqual(
				asks.map((ask) => ask.line),
				[2, 4, 5, 6, 7],
			);
		},
	},
	{
		name: "nothing and null are different arguments",
		async run(make) {
			const { asks } = await play(make(), "await tools.pay(); await tools.pay(undefined); await tools.pay(null);");
			assert.deepEqual(
				asks.map((ask) => ask.args),
				["", "", "null"],
			);
		},
	},
	{
		name: "the result of a call that was changed says so, and is the same value otherwise",
		async run(make) {
			const source = `const r = await Promise.all([1, 2, 3, 4, 5].map((n) => tools.pay(n)));
				return [r.map((one) => one?.edited), Object.keys(r[0]), r];`;
			const values: readonly unknown[] = [{ paid: 5 }, [1], "text", null, { edited: "its own" }];
			const answer = ({ n }: { n: number }) => ({ n, ok: JSON.stringify(values[n - 1]), edited: true });
			const [edited, keys, same] = (await evaluate(make(), source, { answer })) as unknown[];
			assert.deepEqual(edited, [true, true, null, null, "its own"]);
			assert.deepEqual(keys, ["paid"]);
			assert.deepEqual(same, values);
			assert.equal(await evaluate(make(), "return (await tools.pay({})).edited;"), null);
		},
	},
];
