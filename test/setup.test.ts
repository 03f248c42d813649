import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const scripts = fileURLToPath(new URL("../scripts", import.meta.url));
let folder: string;
let log: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "holdpoint-setup-"));
	log = join(folder, "log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A process that takes the lock named for this test's folder and then does `work`. */
function locker(work: string): ReturnType<typeof spawn> {
	const source = `
		import { appendFileSync } from "node:fs";
		import { withLock } from "${scripts}/lock.mjs";
		const write = (text) => appendFileSync(${JSON.stringify(log)}, text);
		await withLock(${JSON.stringify(folder)}, async () => { ${work} }, () => console.log("waiting"));
	`;
	return spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", "inherit"] });
}

describe("the lock of the set-up", () => {
	test("lets one process in at a time", async () => {
		// Between the two letters there are turns of the event loop in which another process could come in.
		const work = `write("("); for (let at = 0; at < 200; at++) await new Promise(setImmediate); write(")");`;
		const closed = Array.from({ length: 5 }, () => once(locker(work), "close"));
		expect((await Promise.all(closed)).map(([code]) => code)).toEqual([0, 0, 0, 0, 0]);
		expect(readFileSync(log, "utf8")).toBe("()()()()()");
	});

	test("is free again when its owner was killed", async () => {
		const owner = locker(`console.log("in"); setInterval(() => {}, 1_000); await new Promise(() => {});`);
		const next = once(owner.stdout ?? owner, "data").then(() => locker(`write("free");`));
		const waiter = await next;
		await once(waiter.stdout ?? waiter, "data");
		owner.kill("SIGKILL");
		await once(waiter, "close");
		expect(readFileSync(log, "utf8")).toBe("free");
	});
});

describe("Debian packages", () => {
	interface Row {
		package: string;
		why: string;
		check: () => boolean;
	}
	interface Installing {
		isRoot: boolean;
		run: (command: string, args: string[]) => void;
		say: (text: string) => void;
	}
	const load = async (): Promise<{
		missingPackages: (table: Row[]) => Row[];
		installPackages: (missing: Row[], how: Installing) => void;
	}> => import(`${scripts}/system-packages.mjs`);

	let isThere = false;
	const table: Row[] = [
		{ package: "postgresql", why: "tests of the store", check: () => isThere },
		{ package: "coreutils", why: "everything", check: () => true },
	];
	beforeEach(() => {
		isThere = false;
	});

	test("without root the exact command is said and nothing is run", async () => {
		const { missingPackages, installPackages } = await load();
		const run = (): never => {
			throw new Error("ran something");
		};
		const install = (): void => installPackages(missingPackages(table), { isRoot: false, run, say: () => {} });
		expect(install).toThrow(/postgresql: tests of the store\nRun: sudo apt-get install -y postgresql$/);
	});

	test("root installs what is missing, and looks whether it is there", async () => {
		const { missingPackages, installPackages } = await load();
		const ran: string[] = [];
		const run = (command: string, args: string[]): void => {
			ran.push([command, ...args].join(" "));
			isThere = args[0] === "install";
		};
		installPackages(missingPackages(table), { isRoot: true, run, say: () => {} });
		expect(ran).toEqual(["apt-get update -qq", "apt-get install -y -qq --no-install-recommends postgresql"]);
		isThere = false;
		const install = (): void => installPackages(missingPackages(table), { isRoot: true, run: () => {}, say: () => {} });
		expect(install).toThrow("still not found: postgresql");
	});
});
