/**
 * The peers that are measured beside us. Each is a folder with pinned versions and a `bench.mjs`; none is a dependency.
 * Installed on demand into the folder itself, and only there.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PeerName } from "./benchmark.ts";

const installMs = 300_000;
const reachMs = 10_000;

export function peerFolder(peer: PeerName): string {
	return join(import.meta.dirname, "peers", peer);
}

export function peerFile(peer: PeerName): string {
	return join(peerFolder(peer), "bench.mjs");
}

interface Manifest {
	readonly version: string;
	readonly dependencies?: { readonly [name: string]: string };
}

function readManifest(file: string): Manifest | undefined {
	return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Manifest) : undefined;
}

/** Is every pinned version there? */
export function isInstalled(peer: PeerName): boolean {
	const folder = peerFolder(peer);
	const wanted = Object.entries(readManifest(join(folder, "package.json"))?.dependencies ?? {});
	return wanted.every(([name, version]) => {
		return readManifest(join(folder, "node_modules", name, "package.json"))?.version === version;
	});
}

/** Installs what is missing. Returns the peers that are there, and says of each other one why it is not. */
export function preparePeers(peers: readonly PeerName[], say: (text: string) => void): readonly PeerName[] {
	const missing = peers.filter((peer) => !isInstalled(peer));
	if (missing.length === 0) return peers;
	const problem = registryProblem();
	if (problem !== undefined) {
		say(`peers skipped: ${missing.join(", ")} not installed, and the npm registry cannot be reached (${problem})`);
		return peers.filter((peer) => !missing.includes(peer));
	}
	return peers.filter((peer) => !missing.includes(peer) || install(peer, say));
}

function registryProblem(): string | undefined {
	const asked = spawnSync("npm", ["ping", "--loglevel=error"], { encoding: "utf8", timeout: reachMs });
	if (asked.status === 0) return undefined;
	return asked.error?.message ?? (asked.stderr.trim().split("\n").at(-1) || `exit code ${asked.status}`);
}

function install(peer: PeerName, say: (text: string) => void): boolean {
	say(`installing the peer ${peer} into bench/peers/${peer}/node_modules`);
	const args = ["install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
	const done = spawnSync("npm", args, { cwd: peerFolder(peer), encoding: "utf8", timeout: installMs });
	if (done.status === 0 && isInstalled(peer)) return true;
	say(`peer skipped: ${peer} could not be installed (${done.error?.message ?? done.stderr.trim().slice(-300)})`);
	return false;
}
