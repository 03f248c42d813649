import { linkSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ForbiddenPlaces } from "./forbidden-places.ts";
import { RootFolder } from "./root-folder.ts";
import { walkFolder } from "./walk-folder.ts";

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "holdpoint-walk-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(...paths: string[]): void {
	for (const path of paths) {
		mkdirSync(dirname(join(folder, path)), { recursive: true });
		writeFileSync(join(folder, path), path);
	}
}

const rootFolder = (): RootFolder =>
	new RootFolder({ root: folder, limits: { pathCharsMax: 1_024, depthMax: 8 }, what: "a test" });

async function walked(visitsMax: number): Promise<{ seen: string[]; rest: string[]; isWhole: boolean }> {
	const seen: string[] = [];
	const { rest, isWhole } = await walkFolder(rootFolder(), [], {
		visitsMax,
		depthMax: 8,
		enters: () => true,
		async visit({ folder: { segments }, name }) {
			seen.push([...segments, name].join("/"));
			return true;
		},
	});
	return { seen, rest: rest.map((segments) => segments.join("/")), isWhole };
}

test("what is near comes first, and what was not looked at any more is told", async () => {
	put("a/deep/1", "a/deep/2", "b/3", "c/4");
	const all = ["a", "b", "c", "a/deep", "b/3", "c/4", "a/deep/1", "a/deep/2"];
	expect(await walked(100)).toEqual({ seen: all, rest: [], isWhole: true });
	expect(await walked(8)).toEqual({ seen: all, rest: [], isWhole: true });
	expect(await walked(7)).toMatchObject({ rest: ["a/deep"], isWhole: false });
	expect(await walked(4)).toEqual({ seen: all.slice(0, 4), rest: ["b", "c", "a/deep"], isWhole: false });
	expect(await walked(2)).toMatchObject({ rest: [], isWhole: false });
});

test("I8: forbidden places are looked for once in a walk, however many folders and files with several names it meets", async () => {
	put("a/1", "b/2", ".holdpoint/key");
	const known = new Set<unknown>();
	await walkFolder(rootFolder(), [], {
		visitsMax: 100,
		depthMax: 8,
		enters: () => true,
		async visit(entry) {
			known.add(entry.folder.refused);
			return true;
		},
	});
	expect(known.size).toBe(1);

	linkSync(join(folder, ".holdpoint/key"), join(folder, "a/harmless"));
	const key = statSync(join(folder, "a/harmless"), { bigint: true });
	const refused = await new ForbiddenPlaces(folder, { forbidden: [join(folder, ".holdpoint")] }).refused();
	expect(await refused.hasFile(key)).toBe(true);
	rmSync(join(folder, ".holdpoint"), { recursive: true });
	expect(await refused.hasFile(key)).toBe(true);
});

test("I8: others have their turn while a large folder is looked at", async () => {
	put(...Array.from({ length: 200 }, (_, at) => `many/${at}`));
	let turns = 0;
	let isOver = false;
	const count = (): void => {
		turns++;
		if (!isOver) setImmediate(count);
	};
	setImmediate(count);
	const turnsAt: number[] = [];
	await walkFolder(rootFolder(), ["many"], {
		visitsMax: 1_000,
		depthMax: 8,
		enters: () => true,
		async visit() {
			turnsAt.push(turns);
			return true;
		},
	});
	isOver = true;
	expect((turnsAt.at(-1) ?? 0) - (turnsAt[0] ?? 0)).toBeGreaterThan(3);
});
