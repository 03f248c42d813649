import { spawn } from "node:child_process";
import {
	chmodSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SealKey } from "../kit/seal.ts";
import { keyFailure } from "../kit/secret-file.ts";
import { isHoldpointError } from "../spec/errors.ts";
import { checkKeys, loadKeys, newKey, parseKeys } from "./keys.ts";

const secret = Buffer.alloc(32, 9).toString("base64url");
let folder: string;
let file: string;

beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "holdpoint-keys-"));
	file = join(folder, "state", "keys");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function failureOf(act: () => unknown) {
	try {
		act();
	} catch (error) {
		if (isHoldpointError(error)) return error;
		throw error;
	}
	throw new Error("It was accepted");
}

describe("keys as text", () => {
	test("are separated by commas or white space, the current one first", () => {
		const keys = parseKeys(` b:${secret},a:${secret}\nc-1:${secret} `, "a test");
		expect(keys.map((key) => key.id)).toEqual(["b", "a", "c-1"]);
		expect(keys[0]?.secret).toEqual(new Uint8Array(32).fill(9));
	});

	test.each([
		["none", "", "holds no key"],
		["no id", secret, "form"],
		["an empty id", `:${secret}`, "form"],
		["an id with a dot", `a.b:${secret}`, "form"],
		["an id that is too long", `${"a".repeat(33)}:${secret}`, "form"],
		["31 bytes", `a:${Buffer.alloc(31).toString("base64url")}`, "form"],
		["no base64url", `a:${"+".repeat(43)}`, "form"],
		["an id twice", `a:${secret} a:${secret}`, "twice"],
	])("%s is refused, and no secret is shown", (_, text, message) => {
		const error = failureOf(() => parseKeys(text, "the source"));
		expect(error.code).toBe("key.invalid");
		expect(error.message).toContain(message);
		expect(error.message).toContain("the source");
		expect(JSON.stringify(error)).not.toContain(secret);
	});

	test.each([
		["none", [], "holds no key"],
		["an id with a space, which would not be found again", [{ id: "my key", secret: new Uint8Array(32) }], "no id"],
		["a short secret", [{ id: "k", secret: new Uint8Array(31) }], "31 bytes"],
		["an id twice", [newKey("k"), newKey("k")], "twice"],
	])("keys that a program hands over are checked too: %s", (_, keys, message) => {
		expect(failureOf(() => checkKeys(keys, "the options")).message).toContain(message);
	});

	test("a fresh key has 32 bytes, and no other has them", () => {
		expect(newKey().secret).toHaveLength(32);
		expect(newKey().secret).not.toEqual(newKey().secret);
	});
});

const isStoreNew = async () => true;
const load = (env: Record<string, string> = {}) => loadKeys({ env, file, isStoreNew });

async function refusalOf(loading: Promise<unknown>) {
	const error = await loading.then(
		() => new Error("It was accepted"),
		(reason: unknown) => reason,
	);
	if (isHoldpointError(error)) return error;
	throw error;
}

describe("keys of the environment", () => {
	test("go before the file, which is not even made", async () => {
		const keys = await load({ HOLDPOINT_KEYS: `env:${secret}` });
		expect(keys.map((key) => key.id)).toEqual(["env"]);
		expect(readdirSync(folder)).toEqual([]);
	});

	test("are never passed over when they are wrong", async () => {
		expect((await refusalOf(load({ HOLDPOINT_KEYS: "nonsense" }))).code).toBe("key.invalid");
	});
});

describe("the key file", () => {
	test("is made on first use with mode 0600, and is the same from then on", async () => {
		const made = await load();
		expect(statSync(file).mode & 0o777).toBe(0o600);
		expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
		expect(await load()).toEqual(made);
		expect(readdirSync(dirname(file))).toEqual(["keys"]);
	});

	test("has mode 0600 whatever the umask", async () => {
		const before = process.umask(0);
		try {
			await load();
		} finally {
			process.umask(before);
		}
		expect(statSync(file).mode & 0o777).toBe(0o600);
	});

	test.each([0o640, 0o604, 0o660, 0o644])("is refused with mode %o", async (mode) => {
		await load();
		chmodSync(file, mode);
		const error = await refusalOf(load());
		expect(error.code).toBe("key.invalid");
		expect(error.hint).toContain("chmod 600");
	});

	test("that is damaged is an error and is not made anew: that would orphan everything sealed before", async () => {
		await load();
		writeFileSync(file, "");
		expect((await refusalOf(load())).code).toBe("key.invalid");
		expect(readFileSync(file, "utf8")).toBe("");
	});

	test("is not made anew for a store that holds runs: nothing there could be read with it", async () => {
		const error = await refusalOf(loadKeys({ env: {}, file, isStoreNew: async () => false }));
		expect(error).toMatchObject({ code: "journal.key_missing", hint: expect.stringContaining("backup") });
		expect(readdirSync(folder)).toEqual([]);
	});

	test("that another process made meanwhile, with the first run, is taken", async () => {
		const made: SealKey[] = [];
		const isStoreNew = async () => {
			made.push(...(await load()));
			return false;
		};
		expect(await loadKeys({ env: {}, file, isStoreNew })).toEqual(made);
	});

	test("that is a folder is an error with a hint, and stays as it is", async () => {
		mkdirSync(file, { recursive: true, mode: 0o700 });
		expect(await refusalOf(load())).toMatchObject({
			code: "key.invalid",
			message: expect.stringContaining(file),
			hint: expect.stringContaining("must be a file"),
		});
	});

	test("that cannot be put in its place leaves nothing else behind", async () => {
		mkdirSync(dirname(file), { mode: 0o700 });
		symlinkSync(join(folder, "nowhere"), file);
		expect((await refusalOf(load())).code).toBe("key.invalid");
		expect(readdirSync(dirname(file))).toEqual(["keys"]);
	});

	test.each([
		["read", "EACCES", "key.invalid"],
		["read", "EIO", "key.invalid"],
		["made", "EACCES", "store.read_only"],
		["made", "EPERM", "store.read_only"],
		["made", "EROFS", "store.read_only"],
		["made", "ENOSPC", "store.full"],
		["made", "EDQUOT", "store.full"],
		["made", "ENOTDIR", "key.invalid"],
	] as const)("that cannot be %s because of %s is %s", (what, system, code) => {
		const cause = Object.assign(new Error(`${system}: no`), { code: system });
		const error = keyFailure(file, what, cause);
		expect(error).toMatchObject({ code, cause, details: { file, system } });
		expect(error.hint).not.toBe("");
	});

	test("processes that make it at once all have the same key, and none ever sees half a file", {
		timeout: 20_000,
	}, async () => {
		const program = `
			const { loadKeys } = await import(${JSON.stringify(fileURLToPath(new URL("./keys.ts", import.meta.url)))});
			const { readdirSync, writeFileSync } = await import("node:fs");
			writeFileSync(process.argv[1] + "/ready-" + process.pid, "");
			while (readdirSync(process.argv[1]).filter((name) => name.startsWith("ready-")).length < 3) ;
			for (let n = 0; n < 300; n++) {
				const isStoreNew = async () => true;
				const [key] = await loadKeys({ env: {}, file: process.argv[1] + "/" + n + "/keys", isStoreNew });
				console.log(Buffer.from(key.secret).toString("base64url"));
			}`;
		const lists = await Promise.all([1, 2, 3].map(() => outputOf(["-e", program, folder])));
		expect(new Set(lists.map((list) => list.split("\n").length))).toEqual(new Set([300]));
		expect(new Set(lists).size).toBe(1);
	});
});

function outputOf(args: readonly string[]): Promise<string> {
	const child = spawn(process.execPath, ["--input-type=module", ...args], { stdio: ["ignore", "pipe", "pipe"] });
	let text = "";
	child.stdout.on("data", (chunk) => (text += chunk));
	child.stderr.on("data", (chunk) => (text += chunk));
	return new Promise((resolve) => child.on("close", () => resolve(text.trim())));
}
