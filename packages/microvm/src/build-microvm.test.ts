import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { executable, guestFile } from "./machine-for-tests.ts";

const script = fileURLToPath(new URL("../../../scripts/build-microvm.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "holdpoint-build-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function build(args: readonly string[], path = process.env["PATH"]): { status: number | null; said: string } {
	const { status, stderr } = spawnSync(process.execPath, [script, ...args], {
		encoding: "utf8",
		env: { ...process.env, PATH: path },
	});
	return { status, said: stderr };
}

const hasTools = ["gcc", "wasm2c", "ld"].every((tool) => spawnSync(tool, ["--version"]).status === 0);
const whyNot = !hasTools
	? "this machine has no gcc or wabt"
	: !existsSync(executable)
		? "the micro-VM is not built (npm run build:microvm)"
		: undefined;
if (whyNot) console.log(`skipped: ${whyNot}`);

describe.skipIf(whyNot)("the build", () => {
	test("gives the same bytes again", { timeout: 300_000 }, () => {
		const built = build(["--into", folder]);
		expect(built.status, built.said).toBe(0);
		expect(readFileSync(join(folder, "guest.elf")).equals(readFileSync(guestFile))).toBe(true);
		expect(readFileSync(join(folder, "microvmd")).equals(readFileSync(executable))).toBe(true);
	});

	test("does nothing when nothing changed, and finds what build.lock.json says", { timeout: 300_000 }, (context) => {
		const again = build([]);
		if (again.said.includes("this checkout runs its own build")) {
			context.skip("the compilers here are not those of build.lock.json");
		}
		expect(again.status, again.said).toBe(0);
		expect(again.said).toContain("up to date");
	});

	test("has nothing that an analyzer finds", { timeout: 300_000 }, () => {
		const checked = build(["--check"]);
		expect(checked.status, checked.said).toBe(0);
		expect(checked.said).toContain("found nothing");
	});

	test("says what a machine without compilers lacks", () => {
		const { status, said } = build([], folder);
		expect(status).toBe(3);
		expect(said).toContain("apt-get install -y gcc");
	});
});

describe("the digests that are recorded", () => {
	const root = fileURLToPath(new URL("../../..", import.meta.url));
	const lock = JSON.parse(readFileSync(join(root, "packages/microvm/native/build.lock.json"), "utf8")) as Lock;
	type Lock = Readonly<Record<string, readonly { readonly sha256: string }[]>>;

	/** What --record writes, in a process of its own: this one does not load scripts. */
	function sourceOf(of: Lock): string {
		const module = pathToFileURL(join(root, "scripts/digests-source.mjs")).href;
		const code = `import { digestsSource } from ${JSON.stringify(module)}; process.stdout.write(digestsSource(${JSON.stringify(of)}));`;
		return spawnSync(process.execPath, ["--input-type=module", "-e", code], { encoding: "utf8" }).stdout;
	}

	test("are those that the provider runs", () => {
		const file = join(root, "packages/holdpoint/src/adapters/sandboxes/microvm/binary-digests.ts");
		expect(readFileSync(file, "utf8")).toBe(sourceOf(lock));
	});

	test.each([1, 2, 3])("are formatted when they are written: %d of each", (count) => {
		const several = Object.entries(lock).map(([name, [entry]]) => [name, Array.from({ length: count }, () => entry)]);
		const source = sourceOf(Object.fromEntries(several) as Lock);
		const biome = join(root, "node_modules/@biomejs/biome/bin/biome");
		const args = [biome, "format", "--stdin-file-path=packages/x.ts"];
		const formatted = spawnSync(process.execPath, args, { cwd: root, input: source, encoding: "utf8" });
		expect(formatted.stdout, formatted.stderr).toBe(source);
	});
});

describe.skipIf(whyNot)("the binaries", () => {
	test("are hardened", () => {
		const headers = spawnSync("readelf", ["-lWd", executable], { encoding: "utf8" }).stdout;
		expect(headers).toContain("GNU_RELRO");
		expect(headers).toMatch(/GNU_STACK.*RW /);
		expect(headers).toMatch(/FLAGS_1.*PIE/);
		expect(headers).not.toContain("INTERP");
		expect(headers).not.toMatch(/LOAD.* RWE/);
		const guest = spawnSync("readelf", ["-lW", guestFile], { encoding: "utf8" }).stdout;
		expect(guest).not.toMatch(/LOAD.* RWE/);
	});

	test("name no folder of the machine that built them", () => {
		for (const file of [executable, guestFile]) {
			const bytes = readFileSync(file);
			expect(bytes.includes("native/")).toBe(false);
			expect(bytes.includes("packages/microvm")).toBe(false);
		}
	});
});
