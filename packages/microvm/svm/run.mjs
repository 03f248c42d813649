/**
 * Runs the micro-VM and Hyperlight on real AMD-V, which few build machines have: boots a Debian kernel with kvm_amd in
 * QEMU's emulator with `-cpu EPYC,+svm`, and runs inside.mjs and suites.mjs there. Takes four to nine minutes and nothing
 * but Debian packages, and the npm package of Hyperlight where that is installed.
 *
 *   node packages/microvm/svm/run.mjs
 *
 * Exit codes: 0 well, 1 something failed inside, 3 this machine cannot do it (the reason is printed).
 */
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { guestDigest } from "../../holdpoint/src/adapters/sandboxes/guest-image/guest-digest.ts";
import { hostApiPackage } from "../../holdpoint/src/adapters/sandboxes/hyperlight/host-api.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const work = join(root, ".cache/microvm/svm");
const image = join(work, "image");
const timeLimitMs = 15 * 60_000;
const modules = [
	"virt/lib/irqbypass.ko",
	"drivers/crypto/ccp/ccp.ko",
	"arch/x86/kvm/kvm.ko",
	"arch/x86/kvm/kvm-amd.ko",
];

function unable(reason) {
	console.log(`skipped: ${reason}`);
	process.exit(3);
}

function must(program, args, options = {}) {
	const result = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1e9, ...options });
	if (result.status !== 0)
		unable(`${program} ${args.join(" ").slice(0, 80)}: ${result.stderr || result.error?.message}`);
	return result.stdout;
}

const has = (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

function checkMachine() {
	const packages = { "qemu-system-x86_64": "qemu-system-x86", cpio: "cpio", "dpkg-deb": "dpkg" };
	const missing = Object.entries(packages).flatMap(([program, name]) => (has(program) ? [] : [name]));
	if (!existsSync("/bin/busybox")) missing.push("busybox-static");
	if (missing.length > 0) unable(`Debian packages are missing: apt-get install -y ${missing.join(" ")}`);
	if (!existsSync(join(root, "packages/microvm/bin/microvmd")))
		unable("the micro-VM is not built (npm run build:microvm)");
}

/** The newest kernel of this Debian, unpacked; not installed. */
function fetchKernel() {
	const folder = join(work, "kernel");
	if (!existsSync(join(folder, "boot"))) {
		const about = must("apt-cache", ["depends", "linux-image-amd64"]);
		const name = /Depends: (linux-image-\S+)/.exec(about)?.[1];
		if (name === undefined) unable("no Debian kernel is known to apt");
		mkdirSync(folder, { recursive: true });
		must("apt-get", ["download", name], { cwd: folder });
		const file = readdirSync(folder).find((each) => each.endsWith(".deb"));
		must("dpkg-deb", ["-x", file, "."], { cwd: folder });
	}
	const kernel = readdirSync(join(folder, "boot")).find((each) => each.startsWith("vmlinuz-"));
	const version = kernel.slice("vmlinuz-".length);
	return { kernel: join(folder, "boot", kernel), modules: join(folder, "lib/modules", version, "kernel") };
}

function addFile(file, target) {
	mkdirSync(dirname(join(image, target)), { recursive: true });
	copyFileSync(file, join(image, target));
}

/** A program with the libraries that it loads, at the same paths. */
function addProgram(program, target) {
	addFile(program, target);
	for (const [, library] of must("ldd", [program]).matchAll(/(\/\S+\.so\S*)/g)) {
		addFile(library, library);
	}
}

const hyperlight = join("node_modules", hostApiPackage);
const hasHyperlight = existsSync(join(root, hyperlight));
const suites = hasHyperlight ? "microvm hyperlight" : "microvm";

const init = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
for module in ${modules.map((each) => basename(each)).join(" ")}; do /bin/busybox insmod /modules/$module; done
/bin/busybox uname -r
/node --disable-warning=ExperimentalWarning /packages/microvm/svm/inside.mjs /packages/microvm/bin ${guestDigest}
export HOLDPOINT_MICROVM_DIR=/packages/microvm/bin
/node --disable-warning=ExperimentalWarning /packages/microvm/svm/suites.mjs ${suites}
/bin/busybox poweroff -f
`;

function makeImage(kernel) {
	rmSync(image, { recursive: true, force: true });
	addFile("/bin/busybox", "bin/busybox");
	for (const each of modules) addFile(join(kernel.modules, each), join("modules", basename(each)));
	addProgram(process.execPath, "node");
	for (const each of ["microvm/bin", "microvm/svm", "microvm/src", "microvm/package.json"]) {
		cpSync(join(root, "packages", each), join(image, "packages", each), { recursive: true });
	}
	for (const each of ["spec", "kit", "testing", "adapters/sandboxes"]) {
		const folder = join("packages/holdpoint/src", each);
		cpSync(join(root, folder), join(image, folder), { recursive: true });
	}
	cpSync(join(root, "packages/holdpoint/package.json"), join(image, "packages/holdpoint/package.json"));
	if (hasHyperlight) cpSync(join(root, hyperlight), join(image, hyperlight), { recursive: true });
	writeFileSync(join(image, "init"), init, { mode: 0o755 });
	const file = join(work, "image.cpio");
	must("sh", ["-c", `cd '${image}' && find . | cpio -o -H newc --quiet > '${file}'`]);
	return file;
}

function boot(kernel, file) {
	const machine = "-machine q35,accel=tcg -cpu EPYC,+svm -smp 1 -m 3072 -nographic -no-reboot -monitor none";
	const args = [
		...machine.split(" "),
		"-kernel",
		kernel.kernel,
		"-initrd",
		file,
		"-append",
		"console=ttyS0 quiet panic=-1 mitigations=off",
	];
	return new Promise((resolve) => {
		const child = spawn("qemu-system-x86_64", args, { stdio: ["ignore", "pipe", "inherit"] });
		const timer = setTimeout(() => child.kill("SIGKILL"), timeLimitMs);
		let output = "";
		child.stdout.setEncoding("utf8").on("data", (text) => {
			output += text;
			process.stdout.write(text);
		});
		child.on("close", () => {
			clearTimeout(timer);
			resolve(output);
		});
	});
}

checkMachine();
if (!hasHyperlight) console.log(`skipped: Hyperlight's suite: ${hostApiPackage} is not installed (npm install)`);
mkdirSync(work, { recursive: true });
const kernel = fetchKernel();
const output = await boot(kernel, makeImage(kernel));
const isWell = (name) => new RegExp(`^${name}: well\\r?$`, "m").test(output);
process.exitCode = isWell("svm") && isWell("suites") ? 0 : 1;
