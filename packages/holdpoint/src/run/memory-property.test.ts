import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { memoryStore } from "../adapters/stores/memory.ts";
import { sqliteStore } from "../adapters/stores/sqlite.ts";
import { createHarness } from "../holdpoint.ts";
import { canonicalJson } from "../kit/canonical-json.ts";
import type { MemoryFile } from "../memory/entry-file.ts";
import type { Store } from "../spec/store.ts";
import { fakeClock } from "../testing/fake-clock.ts";
import { stageKeys } from "../testing/stage.ts";
import type { MemoryOf } from "./memory-doors.ts";

const folder = mkdtempSync(join(tmpdir(), "holdpoint-memory-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const stores: Readonly<Record<string, () => Store>> = {
	memory: () => memoryStore(),
	sqlite: () => sqliteStore(join(folder, `${files++}.db`)),
};

/** Names that would be one another's if they were only put together with something between them. */
const part = fc.constantFrom(
	"a",
	"a:b",
	"b",
	"",
	"null",
	"undefined",
	'"',
	"\n",
	"a\nb",
	"session",
	"principal",
	"%",
	"_",
	"\0",
	"ü",
	"u\u0308",
);
const anyName = fc.oneof(
	part,
	fc.array(part, { maxLength: 3 }).map((parts) => parts.join("/")),
	fc.string({ unit: "binary", maxLength: 6 }),
);
const sessionName = anyName.filter((name) => /^\P{Cc}{1,200}$/u.test(name) && name.isWellFormed());
const holder: fc.Arbitrary<MemoryOf> = fc.record(
	{ principal: anyName, tenant: anyName, session: sessionName },
	{ requiredKeys: ["principal"] },
);

/** The same text, cut into tenant and principal in every place where it can be. */
const cut: fc.Arbitrary<MemoryOf[]> = fc
	.record({
		parts: fc.array(fc.constantFrom("a", "b", "", "principal"), { minLength: 3, maxLength: 4 }),
		between: fc.constantFrom("/", ":", "\n", "\0", '","', "", "/principal/", "\nprincipal\n", ":principal:"),
	})
	.map(({ parts, between }) =>
		parts.slice(1).map((_, at) => ({
			tenant: parts.slice(0, at + 1).join(between),
			principal: parts.slice(at + 1).join(between),
		})),
	);

/** Whose memory it is: a session's is not its principal's. */
function keyOf({ principal, session, tenant }: MemoryOf): string {
	return canonicalJson([tenant ?? null, session === undefined ? ["p", principal ?? ""] : ["s", session]]);
}

for (const [name, makeStore] of Object.entries(stores)) {
	describe(`memory in the ${name} store`, () => {
		test("nobody sees another's, whatever tenants, principals and sessions are called", async () => {
			const property = fc.asyncProperty(
				fc.oneof(fc.array(holder, { minLength: 2, maxLength: 6 }), cut),
				async (holders) => {
					const harness = createHarness({ store: makeStore(), keys: stageKeys, sandbox: "off" });
					const owners = new Map(holders.map((of) => [keyOf(of), of]));
					for (const [key, of] of owners) await harness.memory.write("same", `common secret of ${key}`, of);
					for (const [key, of] of owners) {
						const text = `common secret of ${key}`;
						const seen = [
							await harness.memory.list(of),
							await harness.memory.search("common secret", of),
							[await harness.memory.get("same", of)],
						];
						expect(seen.map((entries) => entries.map((entry) => entry?.text))).toEqual([[text], [text], [text]]);
					}
					// To forget one is to leave all others as they were.
					const [first] = holders;
					if (!first) return;
					await harness.memory.forget({
						principal: first.principal ?? "",
						...(first.tenant === undefined ? {} : { tenant: first.tenant }),
					});
					for (const of of owners.values()) {
						const isForgotten = of.principal === first.principal && of.tenant === first.tenant;
						expect(await harness.memory.list(of)).toHaveLength(isForgotten ? 0 : 1);
					}
					await harness.close();
				},
			);
			await fc.assert(property, { numRuns: 40 });
		}, 60_000);

		test("whatever is done in whatever order, it holds what a list of names would hold", async () => {
			const entryName = fc.constantFrom("a", "b", "dir/c", "Größe");
			const word = fc.constantFrom("tea", "coffee", "milk", "sugar");
			const text = fc.array(word, { minLength: 1, maxLength: 4 }).map((words) => words.join(" "));
			const whose = fc.constantFrom<MemoryOf>(
				{ principal: "ann" },
				{ principal: "ann", session: "s" },
				{ principal: "bob" },
			);
			const step = fc.oneof(
				{ weight: 5, arbitrary: fc.record({ do: fc.constant("write" as const), name: entryName, text, whose }) },
				{ weight: 2, arbitrary: fc.record({ do: fc.constant("delete" as const), name: entryName, whose }) },
				{ weight: 2, arbitrary: fc.record({ do: fc.constant("search" as const), text: word, whose }) },
				{ weight: 1, arbitrary: fc.record({ do: fc.constant("move" as const), whose }) },
				{ weight: 1, arbitrary: fc.record({ do: fc.constant("forget" as const) }) },
			);
			const property = fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
				const clock = fakeClock();
				const harness = createHarness({ store: makeStore(), keys: stageKeys, sandbox: "off", clock });
				const model = new Map<string, Map<string, string>>();
				const of = (whose: MemoryOf) =>
					model.get(keyOf(whose)) ?? model.set(keyOf(whose), new Map()).get(keyOf(whose)) ?? new Map();
				for (const step of steps) {
					clock.advance(1);
					if (step.do === "write") {
						await harness.memory.write(step.name, step.text, step.whose);
						of(step.whose).delete(step.name);
						of(step.whose).set(step.name, step.text);
					} else if (step.do === "delete") {
						expect(await harness.memory.delete(step.name, step.whose)).toBe(of(step.whose).delete(step.name));
					} else if (step.do === "search") {
						const found = (await harness.memory.search(step.text, step.whose)).map(({ name }) => name);
						const having = [...of(step.whose)].filter(([, text]) => text.split(" ").includes(step.text));
						expect(found.sort()).toEqual(having.map(([name]) => name).sort());
					} else if (step.do === "move") {
						const exported: MemoryFile[] = [];
						for await (const file of harness.memory.export(step.whose)) exported.push(file);
						await harness.memory.import(exported, step.whose);
					} else {
						const count = of({ principal: "ann" }).size + of({ principal: "ann", session: "s" }).size;
						expect(await harness.memory.forget({ principal: "ann" })).toEqual({ entries: count });
						of({ principal: "ann" }).clear();
						of({ principal: "ann", session: "s" }).clear();
					}
				}
				for (const whose of [{ principal: "ann" }, { principal: "ann", session: "s" }, { principal: "bob" }]) {
					const listed = (await harness.memory.list(whose)).map(({ name, text }) => [name, text]);
					expect(listed).toEqual([...of(whose)].reverse());
				}
				await harness.close();
			});
			await fc.assert(property, { numRuns: 60 });
		}, 60_000);
	});
}
