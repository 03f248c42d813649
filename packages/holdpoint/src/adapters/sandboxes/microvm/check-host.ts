import { accessSync, constants } from "node:fs";
import { Obstacle } from "./find-binaries.ts";

/** What of a machine decides whether a micro-VM can be tried there. */
export interface Host {
	readonly platform: string;
	readonly arch: string;
	/** Code of the error of opening /dev/kvm for reading and writing, if there is one. */
	kvmError(): string | undefined;
}

export const thisHost: Host = {
	platform: process.platform,
	arch: process.arch,
	kvmError() {
		try {
			accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
			return undefined;
		} catch (error) {
			return (error as NodeJS.ErrnoException).code ?? String(error);
		}
	},
};

/** Errors: `Obstacle`. That /dev/kvm may be opened proves nothing yet; only a machine that boots does. */
export function checkHost(host: Host): void {
	const { platform, arch } = host;
	if (platform !== "linux" || arch !== "x64") {
		throw new Obstacle(
			`the micro-VM runs on Linux on x86-64, this is ${platform} on ${arch}`,
			"Programs run in the wasm sandbox here.",
		);
	}
	const error = host.kvmError();
	if (error === undefined) return;
	if (error === "EACCES" || error === "EPERM") {
		throw new Obstacle(
			"this user may not use /dev/kvm",
			"Add the user to its group: `sudo usermod -aG kvm $USER`, then log in again.",
		);
	}
	throw new Obstacle(
		`there is no /dev/kvm (${error})`,
		"Turn on virtualization in the firmware, or nested virtualization of the cloud machine; in a container: --device /dev/kvm.",
	);
}

/** For a machine that has KVM and did not boot. */
export const bootHint =
	"KVM is there and cannot run this machine: see `dmesg`, and try another kernel or another kind of cloud machine.";
