import { existsSync } from "node:fs";
import { isWithin } from "../rooted/places.ts";
import type { Confinement } from "./confinement.ts";

interface Desk {
	readonly folder: string;
	/** As whom its commands run; undefined: as the harness. */
	readonly uid: number | undefined;
	/** What its commands have covered. */
	readonly covers: string;
}

/** Of this process. */
let desks: Desk[] = [];

interface NewDesk {
	readonly folder: string;
	readonly confined: Confinement;
	readonly uid: number;
}

/**
 * Commands of one shell must not reach what another one covers. Errors: where two shells of this process share a user with
 * different folders, have one folder in the other, or cover different things in one folder.
 */
export function keepApart({ folder, confined: { kind, covered }, uid }: NewDesk): void {
	if (!covered) return;
	const desk: Desk = { folder, uid: kind === "user" ? uid : undefined, covers: covered.version };
	desks = desks.filter((other) => existsSync(other.folder));
	for (const other of desks) check(desk, other);
	if (!desks.some((other) => other.folder === folder)) desks.push(desk);
}

function check(desk: Desk, other: Desk): void {
	if (desk.folder === other.folder) {
		if (desk.covers === other.covers) return;
		throw new Error("another shell of this folder covers other places in it: give both the same `forbid`");
	}
	if ([desk, other].some(({ folder }) => isWithin(folder, desk.folder) && isWithin(folder, other.folder))) {
		throw new Error(`the folder of another shell, ${other.folder}, holds this one or lies in it: keep them apart`);
	}
	if (desk.uid !== undefined && desk.uid === other.uid) {
		throw new Error(
			`another shell works in ${other.folder} as the same user, ${desk.uid}, and could change this folder: give each a user of its own (\`user\`), whom its folder belongs to`,
		);
	}
}
