/** What becomes of a machine whose KVM opens and cannot run: microvmd as it is, but for the answers to KVM_RUN. */
import { hash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { thisHost } from "../../holdpoint/src/adapters/sandboxes/microvm/check-host.ts";
import { MicrovmdClient, MicrovmdLost } from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import { microvmSandboxIn } from "../../holdpoint/src/adapters/sandboxes/microvm/provider.ts";
import { brokenFile, guestFile, memoryMiB, start, textOf, whyNoMachine } from "./machine-for-tests.ts";

if (whyNoMachine) console.log(`skipped: ${whyNoMachine}`);

const folder = mkdtempSync(join(tmpdir(), "holdpoint-broken-kvm-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
/** Copies stay where they were put. */
beforeEach(() => void vi.stubEnv("TMPDIR", folder));
afterEach(() => vi.unstubAllEnvs());

/** The client gives its process no environment, so a script does. */
function broken(order: string): string {
	const file = join(folder, "microvmd");
	writeFileSync(file, `#!/bin/sh\nBROKEN_KVM='${order}' exec ${brokenFile} "$@"\n`, { mode: 0o755 });
	return file;
}

const spawn = (order: string): Promise<MicrovmdClient> =>
	MicrovmdClient.spawn({ executable: broken(order), guest: guestFile, memoryMiB });

const failures: readonly (readonly [string, string])[] = [
	["errno", "KVM_RUN: Input/output error"],
	["internal", "KVM exit 17"],
	["entry", "KVM exit 9"],
];

describe.skipIf(whyNoMachine)("where KVM opens and cannot run", () => {
	test.each(failures)("(%s) no machine boots, and the probe says why", async (how, said) => {
		await expect(spawn(`${how} 0`)).rejects.toThrow(said);
		const microvmd = broken(`${how} 0`);
		copyFileSync(guestFile, join(folder, "guest.elf"));
		const digests = {
			microvmd: [hash("sha256", readFileSync(microvmd))],
			"guest.elf": [hash("sha256", readFileSync(guestFile))],
		};
		const sandbox = microvmSandboxIn({ host: thisHost, digests }, { binDir: folder });
		expect(await sandbox.probe()).toMatchObject({
			ok: false,
			reason: expect.stringContaining(said),
			hint: expect.stringContaining("KVM is there and cannot run"),
		});
		await sandbox.close();
	});

	test.each(failures)("(%s) any more, the machine is lost and says why", async (how, said) => {
		// As many as a boot takes.
		let runs = 1;
		let machine: MicrovmdClient | undefined;
		for (; !machine; runs++) machine = await spawn(`${how} ${runs}`).catch(() => undefined);
		const end = start(machine, "return 1").then(textOf);
		await expect(end).rejects.toThrow(MicrovmdLost);
		await expect(end).rejects.toMatchObject({ stop: "fault", message: expect.stringContaining(said) });
	});
});
