import { release } from "node:os";
import type { Finding } from "./finding.ts";

const nodeNeeded = 24;

export function checkNode(version: string = process.versions.node): Finding {
	const facts = { version, path: process.execPath };
	if (Number.parseInt(version, 10) >= nodeNeeded)
		return { name: "node", state: "ok", says: `${version} (${process.execPath})`, facts };
	return {
		name: "node",
		state: "bad",
		says: `${version} is too old`,
		mend: `Install Node ${nodeNeeded} or newer: https://nodejs.org`,
		facts,
	};
}

export function checkPlatform(): Finding {
	const { platform, arch } = process;
	return {
		name: "platform",
		state: "ok",
		says: `${platform} ${arch}, ${release()}`,
		facts: { platform, arch, release: release() },
	};
}
