/** What a machine says of itself that cannot run a micro-VM, or must not. */
import { spawn } from "node:child_process";
import { hash } from "node:crypto";
import { once } from "node:events";
import {
	chmodSync,
	copyFileSync,
	lstatSync,
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
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { SandboxProbe } from "../../../spec/sandbox.ts";
import { binaryDigests } from "./binary-digests.ts";
import type { Host } from "./check-host.ts";
import { whyNoMicrovm } from "./machines-for-tests.ts";
import { type MicrovmSurroundings, microvmSandboxIn } from "./provider.ts";

const why = await whyNoMicrovm();
if (why) console.log(`skipped: ${why}`);

const folder = mkdtempSync(join(tmpdir(), "holdpoint-microvm-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** Copies stay where they were put. */
const copiesHere = join(folder, "copies");
mkdirSync(copiesHere);
beforeEach(() => void vi.stubEnv("TMPDIR", copiesHere));
afterEach(() => vi.unstubAllEnvs());

const host: Host = { platform: "linux", arch: "x64", kvmError: () => undefined };
const built = fileURLToPath(new URL("../../../../../microvm/bin", import.meta.url));

async function probe(around: Partial<MicrovmSurroundings>, binDir?: string): Promise<SandboxProbe> {
	const sandbox = microvmSandboxIn({ host, digests: binaryDigests, ...around }, binDir ? { binDir } : {});
	try {
		return await sandbox.probe();
	} finally {
		await sandbox.close();
	}
}

/** A folder whose microvmd is this script, and digests that let it pass. */
function standIn(name: string, script: string): [Partial<MicrovmSurroundings>, string] {
	const place = join(folder, name);
	mkdirSync(place);
	const files = { microvmd: `#!/bin/sh\n${script}\n`, "guest.elf": "no guest" };
	for (const [file, text] of Object.entries(files)) writeFileSync(join(place, file), text, { mode: 0o755 });
	const digests = { microvmd: [hash("sha256", files.microvmd)], "guest.elf": [hash("sha256", files["guest.elf"])] };
	return [{ digests }, place];
}

let spoiled = 0;

/** The same files once more, after somebody changed them. */
function standInAgain(name: string, script: string): string {
	rmSync(join(folder, name), { recursive: true });
	return standIn(name, script)[1];
}

function overwrite(copy: string, text: string): void {
	chmodSync(copy, 0o700);
	writeFileSync(copy, text);
	chmodSync(copy, 0o500);
}

function replaceByLink(copy: string): void {
	rmSync(copy);
	symlinkSync("/bin/false", copy);
}

describe("a probe says why there is no micro-VM", () => {
	test.each([
		["on another system", { platform: "darwin", arch: "arm64" }, /darwin on arm64/, /wasm/],
		["on another processor", { arch: "arm64" }, /linux on arm64/, /wasm/],
		["without KVM", { kvmError: () => "ENOENT" }, /no \/dev\/kvm/, /virtualization/],
		["where the user may not use it", { kvmError: () => "EACCES" }, /may not use \/dev\/kvm/, /usermod -aG kvm/],
	])("%s", async (_, change, reason, hint) => {
		const found = await probe({ host: { ...host, ...change } });
		expect(found).toMatchObject({
			ok: false,
			provider: "microvm",
			reason: expect.stringMatching(reason),
			hint: expect.stringMatching(hint),
		});
	});

	test("where KVM opens and cannot run", async () => {
		const cannot = "echo 'microvmd: KVM_RUN: Input/output error' >&2; exit 2";
		const found = await probe(...standIn("cannot-run", cannot));
		expect(found).toMatchObject({ ok: false, reason: "microvmd: KVM_RUN: Input/output error" });
		expect(found).toMatchObject({ hint: expect.stringContaining("KVM is there and cannot run") });
	});

	test("where the folder is named from here, of the file there", async () => {
		const [around, place] = standIn("from-here", "echo 'the one that was meant' >&2; exit 2");
		const found = await probe(around, relative(process.cwd(), place));
		expect(found).toMatchObject({ ok: false, reason: "the one that was meant" });
	});

	test("where it says nothing sensible", async () => {
		expect(await probe(...standIn("noise", "echo hello"))).toMatchObject({ ok: false });
	});

	test("where the files are not there", async () => {
		vi.stubEnv("HOLDPOINT_MICROVM_DIR", join(folder, "nowhere"));
		const found = await probe({});
		expect(found).toMatchObject({ ok: false, reason: expect.stringContaining(`not installed in ${folder}/nowhere`) });
	});

	test("where microvmd has another guest", async () => {
		const hello = `\\070\\000\\000\\000\\001\\000\\000\\000\\001\\000\\000\\000\\003\\000\\000\\000`;
		const [around, place] = standIn("another-guest", `printf '${hello}'; head -c 48 /dev/zero; exec sleep 60`);
		expect(await probe(around, place)).toMatchObject({
			ok: false,
			reason: expect.stringContaining("its guest is 000"),
		});
	});
});

describe("what was checked is what runs", () => {
	/** A folder of temporary files with nothing in it. */
	function emptyTmpdir(name: string): string {
		const place = join(folder, name);
		mkdirSync(place);
		vi.stubEnv("TMPDIR", place);
		return place;
	}

	test("whatever becomes of the files, from a folder of this user's alone, which the next sandbox takes too", async () => {
		const [around, place] = standIn("exchanged", "echo 'the first' >&2; exit 2");
		const temporary = emptyTmpdir("temporary");
		const sandbox = microvmSandboxIn({ host, digests: binaryDigests, ...around }, { binDir: place });
		expect(await sandbox.probe()).toMatchObject({ reason: "the first" });
		writeFileSync(join(place, "microvmd"), "#!/bin/sh\necho 'another' >&2; exit 2\n");
		expect(await sandbox.probe()).toMatchObject({ reason: "the first" });
		const copies = readdirSync(temporary);
		expect(copies).toHaveLength(1);
		expect(statSync(join(temporary, copies[0] ?? "")).mode & 0o777).toBe(0o700);
		await sandbox.close();
		const next = standInAgain("exchanged", "echo 'the first' >&2; exit 2");
		expect(await probe(around, next)).toMatchObject({ reason: "the first" });
		expect(readdirSync(temporary)).toEqual(copies);
	});

	test.each([
		["is another program", (copy: string) => overwrite(copy, "#!/bin/sh\necho 'another' >&2; exit 2\n")],
		["may be written", (copy: string) => chmodSync(copy, 0o700)],
		["is a link", (copy: string) => replaceByLink(copy)],
	])("not a copy that %s", async (_, spoil) => {
		const [around, place] = standIn(`spoiled-${spoiled++}`, "echo 'the first' >&2; exit 2");
		const temporary = emptyTmpdir(`spoiled-temporary-${spoiled}`);
		const sandbox = microvmSandboxIn({ host, digests: binaryDigests, ...around }, { binDir: place });
		await sandbox.probe();
		const [folderName = ""] = readdirSync(temporary);
		const copy = join(temporary, folderName, "microvmd");
		for (const who of [sandbox, microvmSandboxIn({ host, digests: binaryDigests, ...around }, { binDir: place })]) {
			spoil(copy);
			expect(await who.probe()).toMatchObject({ reason: "the first" });
			expect(lstatSync(copy).mode & 0o170777).toBe(0o100500);
		}
		expect(readdirSync(temporary)).toEqual([folderName]);
	});

	test("not a folder that others may enter", async () => {
		const [around, place] = standIn("entered", "echo 'the first' >&2; exit 2");
		const temporary = emptyTmpdir("entered-temporary");
		await probe(around, place);
		const [first = ""] = readdirSync(temporary);
		chmodSync(join(temporary, first), 0o777);
		expect(await probe(around, place)).toMatchObject({ reason: "the first" });
		expect(readdirSync(temporary)).toHaveLength(2);
	});

	test("however many processes are killed, they leave one copy", async () => {
		const [around, place] = standIn("killed", "exit 2");
		const temporary = emptyTmpdir("killed-temporary");
		const module = fileURLToPath(new URL("private-binaries.ts", import.meta.url));
		const script = `
			import { PrivateBinaries } from ${JSON.stringify(module)};
			console.log(new PrivateBinaries(${JSON.stringify(place)}, ${JSON.stringify(around.digests)}).get().microvmd);
			process.stdin.resume();
		`;
		const used = new Set<string>();
		for (const signal of ["SIGTERM", "SIGINT", "SIGKILL"] as const) {
			const child = spawn(process.execPath, ["--input-type=module", "--eval", script]);
			const [line] = (await once(child.stdout, "data")) as [Buffer];
			used.add(line.toString());
			child.kill(signal);
			expect(await once(child, "exit")).toEqual([null, signal]);
		}
		expect(readdirSync(temporary)).toHaveLength(1);
		expect(used.size).toBe(1);
	});

	test("also where somebody tidied the temporary files", async () => {
		const [around, place] = standIn("tidied", "echo 'the first' >&2; exit 2");
		const temporary = emptyTmpdir("tidied-temporary");
		const sandbox = microvmSandboxIn({ host, digests: binaryDigests, ...around }, { binDir: place });
		for (let i = 0; i < 2; i++) {
			expect(await sandbox.probe()).toMatchObject({ reason: "the first" });
			for (const copy of readdirSync(temporary)) rmSync(join(temporary, copy), { recursive: true });
		}
		await sandbox.close();
	});

	test("and where there is no room for it, the probe says so", async () => {
		const [around, place] = standIn("no-room", "exit 2");
		vi.stubEnv("TMPDIR", join(folder, "nowhere"));
		expect(await probe(around, place)).toMatchObject({ ok: false, hint: expect.stringContaining("TMPDIR") });
	});
});

describe.skipIf(why)("files that are not as published", () => {
	test.each(["microvmd", "guest.elf"])("%s: never run", async (altered) => {
		const place = join(folder, `altered-${altered}`);
		mkdirSync(place);
		for (const file of ["microvmd", "guest.elf"]) copyFileSync(join(built, file), join(place, file));
		expect(await probe({}, place)).toMatchObject({ ok: true, isolation: expect.stringMatching(/^(svm|vmx|pvm)$/) });
		const bytes = readFileSync(join(place, altered));
		bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
		rmSync(join(place, altered));
		writeFileSync(join(place, altered), bytes, { mode: 0o755 });
		expect(await probe({}, place)).toMatchObject({ ok: false, reason: expect.stringContaining("not as published") });
		rmSync(join(place, altered));
		expect(await probe({}, place)).toMatchObject({ ok: false });
	});
});
