import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { guestDigest } from "../../holdpoint/src/adapters/sandboxes/guest-image/guest-digest.ts";
import { MicrovmdClient } from "../../holdpoint/src/adapters/sandboxes/microvm/microvmd-client.ts";
import {
	deliver,
	executable,
	guestFile,
	killMachines,
	memoryMiB,
	start,
	textOf,
	underWay,
	whyNoMachine,
} from "./machine-for-tests.ts";

const whyNot =
	whyNoMachine ??
	(spawnSync("unshare", ["-m", "true"]).status === 0 ? undefined : "this user may not make mount namespaces");
if (whyNot) console.log(`skipped: ${whyNot}`);

const folder = mkdtempSync(join(tmpdir(), "holdpoint-microvm-"));
afterEach(killMachines);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The same program on a machine that was changed by these commands, in a mount namespace of its own. */
function onMachine(name: string, commands: string): string {
	const file = join(folder, name);
	const path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	writeFileSync(file, `#!/bin/sh\n${path} exec unshare -m sh -c '${commands} && exec "$0" "$@"' ${executable} "$@"\n`);
	chmodSync(file, 0o755);
	return file;
}

const spawn = (file: string): Promise<MicrovmdClient> =>
	MicrovmdClient.spawn({ executable: file, guest: guestFile, memoryMiB });

describe.skipIf(whyNot)("on a machine", () => {
	test("whose kernel cannot say which pages were written, all of them are compared or given back", async () => {
		const machine = await spawn(onMachine("no-page-scan", "mount -t tmpfs none /proc"));
		const normal = await spawn(executable);
		expect(machine.hello.hasPageScan).toBe(false);
		expect(machine.hello.guestDigest).toBe(guestDigest);
		const source =
			"const kept = [1, 2, { a: 'b'.repeat(1e5) }]; const r = await tools.search(); return [r, kept.length]";
		for (let i = 0; i < 20; i++) {
			await start(machine, source);
			await start(normal, source);
			const image = await machine.snapshot();
			expect(image).toEqual(await normal.snapshot());
			await machine.restore(image);
			expect(textOf(await deliver(machine, [{ n: 1, ok: "7" }]))).toBe("r [7,3]");
		}
		machine.kill();
		normal.kill();
	});

	test("whose page map says nothing, it is closed", async () => {
		const file = onMachine("no-page-map", "mount -t tmpfs none /proc && mkdir /proc/self && touch /proc/self/pagemap");
		const machine = await spawn(file);
		expect(machine.hello.hasPageScan).toBe(false);
		const files = readdirSync(`/proc/${machine.pid}/fd`).map((each) => readlinkSync(`/proc/${machine.pid}/fd/${each}`));
		expect(files.filter((each) => each.endsWith("/pagemap"))).toEqual([]);
		machine.kill();
	});

	test("whose user is not root it runs as that user", async () => {
		const asUser = "mount -t tmpfs none /dev && mknod -m 666 /dev/kvm c 10 232";
		const file = onMachine("not-root", asUser);
		writeFileSync(
			file,
			`#!/bin/sh\nexec /usr/bin/unshare -m /bin/sh -c 'PATH=/usr/bin:/bin; ${asUser} && exec setpriv --reuid=12345 --regid=12345 --clear-groups "$0" "$@"' ${executable} "$@"\n`,
		);
		const machine = await spawn(file);
		expect(textOf(await start(machine, "return 1 + 2"))).toBe("r 3");
		expect(readFileSync(`/proc/${machine.pid}/status`, "utf8")).toMatch(/^Uid:\s+12345\s+12345\s/m);
		const slice = start(machine, "for (;;);");
		await underWay(machine.pid ?? 0);
		machine.cancel();
		expect((await slice).stop).toBe("cancelled");
		machine.kill();
	});

	test("without KVM it does not start", async () => {
		const starting = spawn(onMachine("no-kvm", "mount -t tmpfs none /dev"));
		await expect(starting).rejects.toThrow("/dev/kvm: No such file or directory");
	});

	test("whose KVM is none it does not start", async () => {
		const starting = spawn(onMachine("false-kvm", "mount --bind /dev/null /dev/kvm"));
		await expect(starting).rejects.toThrow("no KVM");
	});

	test("whose KVM this user may not use it does not start", async () => {
		const file = onMachine("no-permission", "true");
		writeFileSync(
			file,
			`#!/bin/sh\nexec /usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups ${executable} "$@"\n`,
		);
		await expect(spawn(file)).rejects.toThrow("/dev/kvm: Permission denied");
	});
});
