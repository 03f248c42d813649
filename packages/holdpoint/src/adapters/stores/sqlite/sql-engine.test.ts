import { spawnSync } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { withoutWarning } from "../../../kit/without-warning.ts";

test("one warning is kept back while a module is loaded, and no other", () => {
	const seen: unknown[] = [];
	const original = process.emitWarning;
	process.emitWarning = (warning: string | Error) => void seen.push(String(warning));
	onTestFinished(() => {
		process.emitWarning = original;
	});
	const ours = process.emitWarning;
	const loaded = withoutWarning(/^SQLite is/, () => {
		process.emitWarning("SQLite is an experimental feature and might change at any time", "ExperimentalWarning");
		process.emitWarning("Another matter", "ExperimentalWarning");
		process.emitWarning(new Error("SQLite is mentioned late"));
		return 5;
	});
	expect(loaded).toBe(5);
	expect(seen).toEqual(["Another matter", "Error: SQLite is mentioned late"]);
	expect(process.emitWarning).toBe(ours);
});

test("warnings are let through again when loading fails", () => {
	const original = process.emitWarning;
	const load = () => {
		throw new Error("no such module");
	};
	expect(() => withoutWarning(/x/, load)).toThrow("no such module");
	expect(process.emitWarning).toBe(original);
});

test("using the store leaves the terminal clean, and importing it does not load SQLite", () => {
	const code = `
		const { sqliteStore } = await import(${JSON.stringify(new URL("../sqlite.ts", import.meta.url).href)});
		const before = process.moduleLoadList.includes("NativeModule sqlite");
		await sqliteStore("/nowhere/to/be/found.db", { readOnly: true }).id().catch(() => {});
		const { nodeSqlite } = await import(${JSON.stringify(new URL("./sql-engine.ts", import.meta.url).href)});
		nodeSqlite.open(":memory:", { readOnly: false, timeoutMs: 1 }).close();
		console.log(before, process.moduleLoadList.includes("NativeModule sqlite"));`;
	const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" });
	expect(stderr).toBe("");
	expect(stdout).toBe("false true\n");
});
